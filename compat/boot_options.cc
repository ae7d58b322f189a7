#include "compat/boot.h"

namespace zrun::compat {

namespace {

LogLevel ParseLogLevel(std::string_view name) {
  if (name == "error") return LogLevel::kError;
  if (name == "info") return LogLevel::kInfo;
  if (name == "debug") return LogLevel::kDebug;
  return LogLevel::kWarning;
}

Result<void> ParseRecord(std::string_view key, std::string_view value, BootOptions& options) {
  const bool on = value == "1";
  if (key == "arg") return options.arguments.Add(value);
  if (key == "env") return options.environment.Add(value);
  if (key == "tmpfs") return options.tmpfs.PushBack(value);
  if (key == "cwd") {
    options.working_directory = value;
  } else if (key == "hostname") {
    options.hostname = value;
  } else if (key == "user") {
    options.user = value;
  } else if (key == "log") {
    options.log_level = ParseLogLevel(value);
  } else if (key == "memory") {
    options.memory = ParseUnsigned(value).value;
  } else if (key == "readonly") {
    options.read_only = on;
  } else if (key == "tty") {
    options.tty = on;
  } else if (key == "init") {
    options.init = on;
  } else if (key == "strace") {
    options.strace = on;
  } else {
    return Errno::kEINVAL;
  }
  return {};
}

}  // namespace

Result<void> ParseCommandLine(std::string_view records, BootOptions& options) {
  while (!records.empty()) {
    const size_t end = std::min(records.find('\0'), records.size());
    const std::string_view record = records.substr(0, end);
    records.remove_prefix(std::min(end + 1, records.size()));
    const size_t equals = record.find('=');
    if (record.empty()) continue;
    if (equals == std::string_view::npos) return Errno::kEINVAL;
    TRY(ParseRecord(record.substr(0, equals), record.substr(equals + 1), options));
  }
  return {};
}

}  // namespace zrun::compat
