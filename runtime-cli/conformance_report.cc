#include "runtime-cli/conformance_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

namespace zrun {
namespace {

constexpr double kSlowSeconds = 10;  // programs that pass are told of from here on

std::string Folder(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "." : name.substr(0, slash);
}

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", seconds);
  return text;
}

std::string Rounded(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f s", seconds);
  return text;
}

// The length of the well-formed UTF-8 sequence at the front that XML can hold; 0 if there is none.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' ? 1 : 0;
  const size_t length = first >= 0xf0 && first < 0xf5 ? 4
                        : first >= 0xe0               ? 3
                        : first >= 0xc2               ? 2
                                                      : 0;
  if (first >= 0xf5 || length == 0 || text.size() < length) return 0;
  uint32_t code = first & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  return code < kLeast[length] || code > 0x10ffff || is_surrogate || code == 0xfffe ||
                 code == 0xffff
             ? 0
             : length;
}

// Text of a program may be anything: what is no character becomes "?".
std::string Clean(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) out += '?';
    out += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : Clean(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Indented(const std::string& text, size_t most_lines) {
  std::string out;
  size_t begin = 0;
  for (size_t i = 0; i < most_lines && begin < text.size(); ++i) {
    size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin)
      out += "      " + Clean(std::string_view(text).substr(begin, end - begin)) + '\n';
    begin = end + 1;
  }
  if (begin < text.size()) out += "      ...\n";
  return out;
}

}  // namespace

Expectations ParseExpectations(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  Expectations out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, std::min(text.find('#'), end));
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    while (!line.empty() && kBlank.find(line.back()) != kBlank.npos) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t blank = std::min(line.find_first_of(kBlank), line.size());
    std::string_view reason = line.substr(blank);
    reason.remove_prefix(std::min(reason.find_first_not_of(kBlank), reason.size()));
    out[std::string(line.substr(0, blank))] = reason;
  }
  return out;
}

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed:
      return "pass";
    case Verdict::kFailed:
      return "FAIL";
    case Verdict::kSkipped:
      return "skip";
    case Verdict::kKnownFailure:
      return "known";
    case Verdict::kSurprise:
      return "FIXED";
  }
  return "";
}

std::string Explain(const ConformanceResult& result) {
  if (result.timed_out) return "timed out after " + Rounded(result.seconds);
  if (result.status > 128 && result.status <= 192)
    return "signal " + std::to_string(result.status - 128);
  return "exit status " + std::to_string(result.status);
}

Oracle ParseOracle(const std::string& json) {
  static constexpr std::array kVerdicts = {Verdict::kPassed, Verdict::kFailed, Verdict::kSkipped,
                                           Verdict::kKnownFailure, Verdict::kSurprise};
  Oracle oracle;
  try {
    const nlohmann::json report = nlohmann::json::parse(json);
    for (const nlohmann::json& program : report.at("programs")) {
      const std::string verdict = program.at("verdict");
      const auto* found = std::ranges::find(kVerdicts, verdict, VerdictName);
      if (found == kVerdicts.end()) throw std::runtime_error("no verdict: " + verdict);
      oracle[program.at("name")] = *found;
    }
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("not a report in JSON: ") + error.what());
  }
  return oracle;
}

void ConformanceReport::Judge(ConformanceResult& result) const {
  const auto known = expectations_.find(result.name);
  const auto other = rules_.oracle.find(result.name);
  const std::optional<Verdict> there =
      other == rules_.oracle.end() ? std::nullopt : std::optional(other->second);
  const bool passed = !result.timed_out && result.status == 0;
  if (!result.timed_out && rules_.skipped.contains(result.status)) {
    const bool runs_there = there == Verdict::kPassed || there == Verdict::kSurprise;
    result.verdict = runs_there ? Verdict::kFailed : Verdict::kSkipped;
    if (runs_there) result.reason = "skipped here, passes there";
  } else if (known != expectations_.end()) {
    result.verdict = passed ? Verdict::kSurprise : Verdict::kKnownFailure;
    result.reason = known->second;
  } else if (passed) {
    result.verdict = Verdict::kPassed;
  } else if (there == Verdict::kFailed || there == Verdict::kKnownFailure) {
    result.verdict = Verdict::kKnownFailure;
    result.reason = "fails there, too";
  } else {
    result.verdict = Verdict::kFailed;
  }
}

const ConformanceResult& ConformanceReport::Add(ConformanceResult result) {
  Judge(result);
  return results_.emplace_back(std::move(result));
}

void ConformanceReport::Finish(bool whole_tree) {
  std::sort(results_.begin(), results_.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  stale_.clear();
  std::set<std::string> names;
  for (const ConformanceResult& result : results_) names.insert(result.name);
  for (const auto& [name, reason] : expectations_)
    if (whole_tree && !names.contains(name)) stale_.push_back(name);
}

size_t ConformanceReport::Count(Verdict verdict) const {
  return std::count_if(results_.begin(), results_.end(),
                       [&](const auto& result) { return result.verdict == verdict; });
}

bool ConformanceReport::Good() const {
  return Count(Verdict::kFailed) == 0 && Count(Verdict::kSurprise) == 0 && stale_.empty();
}

std::string ConformanceReport::Totals() const {
  std::string out = std::to_string(Count(Verdict::kPassed)) + " passed, " +
                    std::to_string(Count(Verdict::kFailed)) + " failed, " +
                    std::to_string(Count(Verdict::kSkipped)) + " skipped";
  if (const size_t known = Count(Verdict::kKnownFailure))
    out += ", " + std::to_string(known) + " failed as expected";
  if (const size_t surprises = Count(Verdict::kSurprise))
    out += ", " + std::to_string(surprises) + " passed unexpectedly";
  if (!stale_.empty()) out += ", " + std::to_string(stale_.size()) + " listed but not there";
  return out;
}

std::string ConformanceReport::Text() const {
  std::map<std::string, std::map<Verdict, size_t>> folders;
  size_t width = 6;
  for (const ConformanceResult& result : results_) {
    const std::string folder = Folder(result.name);
    ++folders[folder][result.verdict];
    width = std::max(width, folder.size());
  }
  const auto row = [&](const std::string& name, const auto&... cells) {
    std::string line = name + std::string(width - name.size(), ' ');
    ((line += std::string(8 - std::min<size_t>(8, std::string(cells).size()), ' ') + cells), ...);
    return line + '\n';
  };
  std::string out =
      title_ + "\n\n" + row("folder", "passed", "failed", "skipped", "known", "fixed");
  for (auto& [name, counts] : folders) {
    const auto cell = [&, &tally = counts](Verdict verdict) {
      return std::to_string(tally[verdict]);
    };
    out += row(name, cell(Verdict::kPassed), cell(Verdict::kFailed), cell(Verdict::kSkipped),
               cell(Verdict::kKnownFailure), cell(Verdict::kSurprise));
  }
  out += '\n';
  for (const ConformanceResult& result : results_) {
    if (result.verdict == Verdict::kPassed) {
      if (result.seconds >= kSlowSeconds)
        out += "slow  " + result.name + ": " + Rounded(result.seconds) + '\n';
      continue;
    }
    out += std::string(VerdictName(result.verdict)) + "  " + result.name;
    if (result.verdict == Verdict::kSurprise) {
      out += ": take it out of the list of known failures";
    } else {
      out += ": " + Explain(result);
    }
    if (!result.reason.empty()) out += " (" + result.reason + ")";
    out += '\n';
    if (result.verdict == Verdict::kFailed) out += Indented(result.output, 8);
  }
  for (const std::string& name : stale_)
    out += "stale " + name + ": listed as a known failure, but there is no such program\n";
  if (out.back() == '\n' && out[out.size() - 2] != '\n') out += '\n';
  return out + Totals() + '\n';
}

std::string ConformanceReport::Json() const {
  nlohmann::json programs = nlohmann::json::array();
  for (const ConformanceResult& result : results_) {
    nlohmann::json entry = {{"name", Clean(result.name)},
                            {"verdict", VerdictName(result.verdict)},
                            {"status", result.status},
                            {"timed_out", result.timed_out},
                            {"seconds", result.seconds}};
    if (result.verdict != Verdict::kPassed) entry["output"] = Clean(result.output);
    if (!result.reason.empty()) entry["reason"] = result.reason;
    programs.push_back(std::move(entry));
  }
  const nlohmann::json out = {{"title", Clean(title_)},
                              {"passed", Count(Verdict::kPassed)},
                              {"failed", Count(Verdict::kFailed)},
                              {"skipped", Count(Verdict::kSkipped)},
                              {"known", Count(Verdict::kKnownFailure)},
                              {"fixed", Count(Verdict::kSurprise)},
                              {"stale", stale_},
                              {"good", Good()},
                              {"programs", std::move(programs)}};
  return out.dump(2) + '\n';
}

// One suite for each folder. A known failure counts as skipped, a surprise as a failure, as the
// exit status does.
std::string ConformanceReport::JUnit() const {
  struct Suite {
    std::string cases;
    size_t tests = 0, failures = 0, skipped = 0;
    double seconds = 0;
  };
  std::map<std::string, Suite> suites;
  for (const ConformanceResult& result : results_) {
    const std::string folder = Folder(result.name);
    Suite& suite = suites[folder];
    ++suite.tests;
    suite.seconds += result.seconds;
    const std::string base = folder == "." ? result.name : result.name.substr(folder.size() + 1);
    suite.cases += "    <testcase classname=\"" + Escape(folder) + "\" name=\"" + Escape(base) +
                   "\" time=\"" + Seconds(result.seconds) + '"';
    switch (result.verdict) {
      case Verdict::kPassed:
        suite.cases += "/>\n";
        continue;
      case Verdict::kFailed:
      case Verdict::kSurprise: {
        ++suite.failures;
        const std::string message = result.verdict == Verdict::kSurprise
                                        ? "passed, but is listed as a known failure"
                                        : Explain(result);
        suite.cases += ">\n      <failure message=\"" + Escape(message) + "\">" +
                       Escape(result.output) + "</failure>\n";
        break;
      }
      case Verdict::kSkipped:
      case Verdict::kKnownFailure: {
        ++suite.skipped;
        std::string message =
            result.verdict == Verdict::kSkipped ? "skipped" : "known failure: " + Explain(result);
        if (!result.reason.empty()) message += ": " + result.reason;
        suite.cases += ">\n      <skipped message=\"" + Escape(message) + "\"/>\n";
        break;
      }
    }
    suite.cases += "    </testcase>\n";
  }
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"" + Escape(title_) + "\">\n";
  for (const auto& [name, suite] : suites) {
    out += "  <testsuite name=\"" + Escape(name) + "\" tests=\"" + std::to_string(suite.tests) +
           "\" failures=\"" + std::to_string(suite.failures) + "\" errors=\"0\" skipped=\"" +
           std::to_string(suite.skipped) + "\" time=\"" + Seconds(suite.seconds) + "\">\n" +
           suite.cases + "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace zrun
