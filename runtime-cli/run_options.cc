#include "runtime-cli/run_options.h"

#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace zrun {

RunOptions::Volume ParseVolume(const std::string& text) {
  const auto fail = [&](const char* why) { throw std::runtime_error("-v " + text + ": " + why); };
  const size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) fail("expected HOST:CONTAINER[:ro|:rw]");
  RunOptions::Volume volume;
  volume.source = std::filesystem::absolute(text.substr(0, colon));
  volume.target = text.substr(colon + 1);
  if (const size_t mode = volume.target.rfind(':'); mode != std::string::npos) {
    const std::string flag = volume.target.substr(mode + 1);
    if (flag != "ro" && flag != "rw") fail("the mode is ro or rw");
    volume.read_only = flag == "ro";
    volume.target.resize(mode);
  }
  if (volume.target.empty() || volume.target.front() != '/')
    fail("the place in the container must be absolute");
  if (!std::filesystem::exists(volume.source)) fail("no such file or directory on the host");
  return volume;
}

uint64_t ParseMemory(const std::string& text, const std::string& platform) {
  size_t end = 0;
  uint64_t value = 0;
  try {
    value = std::stoull(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const std::string unit = text.substr(end);
  const std::string units = "bkmgt";
  if (end == 0 || unit.size() > 1)
    throw std::runtime_error("--memory " + text + ": expected a number with b, k, m, g or t");
  if (!unit.empty()) {
    const size_t power = units.find(char(std::tolower(unit[0])));
    if (power == std::string::npos)
      throw std::runtime_error("--memory " + text + ": expected a number with b, k, m, g or t");
    value <<= 10 * power;
  }
  const uint64_t least = platform == "riscv64" ? 32 : 6;  // MiB
  if (value < least << 20) {
    throw std::runtime_error("--memory " + text + ": the least is " + std::to_string(least) + "m");
  }
  return value;
}

void AddVariable(std::vector<std::string>& out, const std::string& text) {
  if (text.empty() || text.front() == '=')
    throw std::runtime_error("-e " + text + ": a variable needs a name");
  if (text.find('=') != std::string::npos) {
    out.push_back(text);
  } else if (const char* value = std::getenv(text.c_str())) {
    out.push_back(text + '=' + value);
  }
}

}  // namespace zrun
