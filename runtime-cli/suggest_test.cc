#include "runtime-cli/suggest.h"

#include <gtest/gtest.h>

namespace zrun {
namespace {

TEST(Suggest, WhatIsNear) {
  const std::vector<std::string> known = {"--hostname", "--env", "--env-file",
                                          "-e",         "run",   "images"};
  EXPECT_EQ(DidYouMean("--hostnmae", known), "; did you mean '--hostname'?");
  EXPECT_EQ(DidYouMean("--host", known), "; did you mean '--hostname'?");
  EXPECT_EQ(DidYouMean("--envfile", known), "; did you mean '--env-file'?");
  EXPECT_EQ(DidYouMean("rnu", known), "; did you mean 'run'?");
  EXPECT_EQ(DidYouMean("image", known), "; did you mean 'images'?");
}

TEST(Suggest, NothingElse) {
  EXPECT_EQ(DidYouMean("ps", {"run", "pack", "images"}), "");
  EXPECT_EQ(DidYouMean("-x", {"-e", "-i"}), "");
  EXPECT_EQ(DidYouMean("", {"a"}), "");
  EXPECT_EQ(DidYouMean("word", {}), "");
}

}  // namespace
}  // namespace zrun
