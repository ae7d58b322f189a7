#include "runtime-cli/conformance_report.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace zrun {
namespace {

ConformanceResult Ended(std::string name, int status, std::string output = "") {
  ConformanceResult result;
  result.name = std::move(name);
  result.status = status;
  result.seconds = 0.25;
  result.output = std::move(output);
  return result;
}

TEST(Expectations, NamesReasonsAndComments) {
  const Expectations list = ParseExpectations(
      "# known\n"
      "\n"
      "math/fma.exe  rounding in the image's libc  # see there\n"
      "\tfunctional/x.exe\r\n"
      "last.exe\treason");
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(list.at("math/fma.exe"), "rounding in the image's libc");
  EXPECT_EQ(list.at("functional/x.exe"), "");
  EXPECT_EQ(list.at("last.exe"), "reason");
  EXPECT_TRUE(ParseExpectations("").empty());
  EXPECT_TRUE(ParseExpectations("#only a comment").empty());
}

TEST(Conformance, Verdicts) {
  ConformanceReport report("t",
                           {{"a/known", "why"}, {"a/fixed", ""}, {"a/late", ""}, {"a/skips", ""}});
  EXPECT_EQ(report.Add(Ended("a/pass", 0)).verdict, Verdict::kPassed);
  EXPECT_EQ(report.Add(Ended("a/fail", 1)).verdict, Verdict::kFailed);
  EXPECT_EQ(report.Add(Ended("a/skip", 77)).verdict, Verdict::kSkipped);
  EXPECT_EQ(report.Add(Ended("a/known", 139)).verdict, Verdict::kKnownFailure);
  EXPECT_EQ(report.Add(Ended("a/fixed", 0)).verdict, Verdict::kSurprise);
  EXPECT_EQ(report.Add(Ended("a/skips", 77)).verdict, Verdict::kSkipped);
  ConformanceResult late = Ended("a/late", 0);
  late.timed_out = true;
  EXPECT_EQ(report.Add(late).verdict, Verdict::kKnownFailure);
  late.name = "b/late";
  EXPECT_EQ(report.Add(late).verdict, Verdict::kFailed);
  EXPECT_EQ(report.Totals(),
            "1 passed, 2 failed, 2 skipped, 2 failed as expected, 1 passed unexpectedly");
  EXPECT_FALSE(report.Good());
}

TEST(Conformance, GoodOnlyWhenAllIsAsListed) {
  ConformanceReport good("t", {{"known", ""}});
  good.Add(Ended("pass", 0));
  good.Add(Ended("known", 1));
  good.Finish(true);
  EXPECT_TRUE(good.Good());
  EXPECT_EQ(good.Totals(), "1 passed, 0 failed, 0 skipped, 1 failed as expected");

  ConformanceReport surprised("t", {{"known", ""}});
  surprised.Add(Ended("known", 0));
  surprised.Finish(true);
  EXPECT_FALSE(surprised.Good());

  ConformanceReport stale("t", {{"gone", ""}});
  stale.Add(Ended("pass", 0));
  stale.Finish(false);
  EXPECT_TRUE(stale.Good());  // a part of the tree says nothing of the rest
  stale.Finish(true);
  EXPECT_FALSE(stale.Good());
  EXPECT_EQ(stale.stale(), std::vector<std::string>{"gone"});
  EXPECT_NE(stale.Text().find("stale gone"), std::string::npos);
}

TEST(Conformance, Explains) {
  EXPECT_EQ(Explain(Ended("x", 3)), "exit status 3");
  EXPECT_EQ(Explain(Ended("x", 128 + 11)), "signal 11");
  EXPECT_EQ(Explain(Ended("x", 255)), "exit status 255");
  ConformanceResult late = Ended("x", 143);
  late.timed_out = true;
  late.seconds = 60.1;
  EXPECT_EQ(Explain(late), "timed out after 60 s");
}

TEST(Conformance, TextTellsFoldersAndFailures) {
  ConformanceReport report("title", {{"math/known.exe", "why"}});
  report.Add(Ended("math/z.exe", 1, "z.c:3: wrong\n\nmore\n"));
  report.Add(Ended("functional/a.exe", 0, "noise"));
  report.Add(Ended("math/known.exe", 1));
  ConformanceResult slow = Ended("math/slow.exe", 0);
  slow.seconds = 12.3;
  report.Add(slow);
  report.Finish(true);
  EXPECT_EQ(report.Text(),
            "title\n"
            "\n"
            "folder      passed  failed skipped   known   fixed\n"
            "functional       1       0       0       0       0\n"
            "math             1       1       0       1       0\n"
            "\n"
            "known  math/known.exe: exit status 1 (why)\n"
            "slow  math/slow.exe: 12 s\n"
            "FAIL  math/z.exe: exit status 1\n"
            "      z.c:3: wrong\n"
            "      more\n"
            "\n"
            "2 passed, 1 failed, 0 skipped, 1 failed as expected\n");
}

TEST(Conformance, JUnitEscapesWhatProgramsPrint) {
  ConformanceReport report("a \"b\" & c", {{"d/k", "r<1>"}});
  report.Add(Ended("d/f", 139, "<&>\x01\xff\xc3\xa4\xed\xa0\x80\n"));
  report.Add(Ended("d/k", 1));
  report.Add(Ended("top", 0));
  report.Finish(true);
  EXPECT_EQ(report.JUnit(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites name=\"a &quot;b&quot; &amp; c\">\n"
            "  <testsuite name=\".\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\" "
            "time=\"0.250\">\n"
            "    <testcase classname=\".\" name=\"top\" time=\"0.250\"/>\n"
            "  </testsuite>\n"
            "  <testsuite name=\"d\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\" "
            "time=\"0.500\">\n"
            "    <testcase classname=\"d\" name=\"f\" time=\"0.250\">\n"
            "      <failure message=\"signal 11\">&lt;&amp;&gt;??\xc3\xa4???&#10;</failure>\n"
            "    </testcase>\n"
            "    <testcase classname=\"d\" name=\"k\" time=\"0.250\">\n"
            "      <skipped message=\"known failure: exit status 1: r&lt;1&gt;\"/>\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "</testsuites>\n");
}

TEST(Conformance, JsonIsValidWhateverProgramsPrint) {
  ConformanceReport report("t", {});
  report.Add(Ended("f", 1, "\xff\x01 text"));
  report.Finish(true);
  const nlohmann::json json = nlohmann::json::parse(report.Json());
  EXPECT_EQ(json["failed"], 1);
  EXPECT_EQ(json["good"], false);
  EXPECT_EQ(json["programs"][0]["output"], "?? text");
  EXPECT_EQ(json["programs"][0]["verdict"], "FAIL");
}

class FindProgramsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/zrun-find-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    tree_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(tree_); }

  void Make(const std::string& name, const std::string& text, bool executable) {
    const std::filesystem::path path = tree_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    if (executable) std::filesystem::permissions(path, std::filesystem::perms(0755));
  }

  std::filesystem::path tree_;
};

TEST_F(FindProgramsTest, PrefersNamedPrograms) {
  Make("b/two.exe", "anything", true);
  Make("a/one.exe", "anything", true);
  Make("a/one.o", "\177ELF", false);
  Make("a/library.so", "\177ELF", true);
  Make("a/notes.exe", "not executable", false);
  Make("common/runtest.exe", "runner", true);
  std::filesystem::create_directory_symlink("..", tree_ / "a/up");
  EXPECT_EQ(FindPrograms(tree_), (std::vector<std::string>{"a/one.exe", "b/two.exe"}));
}

TEST_F(FindProgramsTest, TakesElfFilesOtherwise) {
  Make("program", "\177ELF", true);
  Make("sub/other", "\177ELF", true);
  Make("script", "#!/bin/sh\n", true);
  Make("object", "\177ELF", false);
  EXPECT_EQ(FindPrograms(tree_), (std::vector<std::string>{"program", "sub/other"}));
}

}  // namespace
}  // namespace zrun
