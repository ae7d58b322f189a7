#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What `zrun conformance` learnt from its programs, judged against a list of known failures, and
// its reports.
namespace zrun {

enum class Verdict {
  kPassed,
  kFailed,
  kSkipped,
  kKnownFailure,  // failed, as the list says
  kSurprise,      // passed, although the list says that it fails
};

struct ConformanceResult {
  std::string name;  // relative to the tree
  int status = 0;    // as zrun run ends: 128 + n for a signal
  bool timed_out = false;
  double seconds = 0;
  std::string output;  // both streams, its beginning when it was long
  Verdict verdict = Verdict::kFailed;
  std::string reason;  // the list's, or what the oracle says
};

// Known failures by name, with a reason: "NAME REASON..." on each line, # begins a comment.
using Expectations = std::map<std::string, std::string>;
Expectations ParseExpectations(std::string_view text);

// Verdicts of another run, such as a native one, by name.
using Oracle = std::map<std::string, Verdict>;
// From a report in JSON; std::runtime_error for anything else.
Oracle ParseOracle(const std::string& json);

struct ConformanceRules {
  // Exit statuses of programs that cannot run where they are. LTP: 32; Open POSIX: 4, 5.
  std::set<int> skipped = {77};
  // What fails there as well is known to fail; what is skipped here but passed there has failed.
  Oracle oracle = {};
};

class ConformanceReport {
 public:
  ConformanceReport(std::string title, Expectations expectations, ConformanceRules rules = {})
      : title_(std::move(title)),
        expectations_(std::move(expectations)),
        rules_(std::move(rules)) {}

  // Judges the result and keeps it.
  const ConformanceResult& Add(ConformanceResult result);
  // Sorts by name. What is listed as known to fail but was not run is told as stale; not after a
  // run of a part only.
  void Finish(bool whole_tree);

  const std::vector<ConformanceResult>& results() const { return results_; }
  const std::vector<std::string>& stale() const { return stale_; }
  size_t Count(Verdict verdict) const;
  // Failures that nobody expected, surprises and stale entries fail the run.
  bool Good() const;

  std::string Totals() const;  // "N passed, N failed, N skipped", and the rest when there is any
  std::string Text() const;    // a table by folder, everything remarkable, the totals
  std::string Json() const;
  std::string JUnit() const;

 private:
  std::string title_;
  void Judge(ConformanceResult& result) const;

  Expectations expectations_;
  ConformanceRules rules_;
  std::vector<ConformanceResult> results_;
  std::vector<std::string> stale_;
};

const char* VerdictName(Verdict verdict);
// "exit status 1", "signal 11", "timed out after 60 s"
std::string Explain(const ConformanceResult& result);

}  // namespace zrun
