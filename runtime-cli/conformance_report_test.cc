#include "runtime-cli/conformance_report.h"

#include <gtest/gtest.h>

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

TEST(Conformance, SkipsByTheSuitesOwnStatus) {
  ConformanceReport report("t", {}, {.skipped = {4, 5}});
  EXPECT_EQ(report.Add(Ended("unsupported", 4)).verdict, Verdict::kSkipped);
  EXPECT_EQ(report.Add(Ended("untested", 5)).verdict, Verdict::kSkipped);
  EXPECT_EQ(report.Add(Ended("unresolved", 2)).verdict, Verdict::kFailed);
  EXPECT_EQ(report.Add(Ended("other", 77)).verdict, Verdict::kFailed);
}

TEST(Conformance, ComparesWithAnotherRun) {
  ConformanceReport native("native", {});
  for (const auto& [name, status] : std::map<std::string, int>{
           {"fails", 1}, {"mended", 1}, {"passes", 0}, {"runs", 0}, {"skips", 77}, {"works", 0}})
    native.Add(Ended(name, status));
  ConformanceReport report("t", {}, {.oracle = ParseOracle(native.Json())});
  EXPECT_EQ(report.Add(Ended("fails", 2)).verdict, Verdict::kKnownFailure);
  EXPECT_EQ(report.Add(Ended("mended", 0)).verdict, Verdict::kPassed);
  EXPECT_EQ(report.Add(Ended("passes", 1)).verdict, Verdict::kFailed);
  EXPECT_EQ(report.Add(Ended("runs", 77)).verdict, Verdict::kFailed);
  EXPECT_EQ(report.Add(Ended("skips", 77)).verdict, Verdict::kSkipped);
  EXPECT_EQ(report.Add(Ended("works", 0)).verdict, Verdict::kPassed);
  EXPECT_EQ(report.Add(Ended("unknown", 1)).verdict, Verdict::kFailed);
  EXPECT_THROW(ParseOracle("{}"), std::runtime_error);
  EXPECT_THROW(ParseOracle("text"), std::runtime_error);
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

}  // namespace
}  // namespace zrun
