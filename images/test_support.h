#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace zrun::images {

// A folder of its own for each test.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "zrun-images-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) abort();
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

 private:
  std::filesystem::path path_;
};

struct CommandResult {
  int status = -1;
  std::string output;
};

inline CommandResult RunCommand(const std::string& command) {
  CommandResult result;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[4096];
  while (size_t count = fread(buffer, 1, sizeof buffer, pipe)) result.output.append(buffer, count);
  int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

inline void WriteText(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Writes tar archives entry by entry, so that broken ones can be made too. See tar(5).
class TarBuilder {
 public:
  struct Entry {
    std::string name;
    char type = '0';
    std::string data = {};
    std::string link = {};
    unsigned mode = 0644;
    unsigned uid = 0;
    unsigned gid = 0;
    unsigned long long mtime = 1000000000;
    unsigned major = 0;
    unsigned minor = 0;
  };

  TarBuilder& Add(const Entry& entry) {
    std::string header(512, '\0');
    auto text = [&](size_t offset, const std::string& value) {
      value.copy(header.data() + offset, value.size());
    };
    auto octal = [&](size_t offset, int width, unsigned long long value) {
      char digits[32];
      snprintf(digits, sizeof digits, "%0*llo", width - 1, value);
      text(offset, digits);
    };
    text(0, entry.name.substr(0, 100));
    octal(100, 8, entry.mode);
    octal(108, 8, entry.uid);
    octal(116, 8, entry.gid);
    octal(124, 12, entry.data.size());
    octal(136, 12, entry.mtime);
    header[156] = entry.type;
    text(157, entry.link.substr(0, 100));
    text(257, std::string("ustar\0"
                          "00",
                          8));
    octal(329, 8, entry.major);
    octal(337, 8, entry.minor);
    header.replace(148, 8, 8, ' ');
    unsigned sum = 0;
    for (unsigned char byte : header) sum += byte;
    char digits[8];
    snprintf(digits, sizeof digits, "%06o", sum & 0777777u);
    header.replace(148, 7, digits, 7);
    bytes_ += header + entry.data;
    bytes_.resize((bytes_.size() + 511) / 512 * 512);
    return *this;
  }
  TarBuilder& File(const std::string& name, const std::string& data) {
    return Add({.name = name, .data = data});
  }
  TarBuilder& Directory(const std::string& name, unsigned mode = 0755) {
    return Add({.name = name, .type = '5', .mode = mode});
  }
  TarBuilder& Symlink(const std::string& name, const std::string& target) {
    return Add({.name = name, .type = '2', .link = target, .mode = 0777});
  }
  TarBuilder& HardLink(const std::string& name, const std::string& target) {
    return Add({.name = name, .type = '1', .link = target});
  }
  // A pax header for the next entry.
  TarBuilder& Pax(const std::string& key, const std::string& value) {
    std::string record = " " + key + "=" + value + "\n";
    size_t length = record.size();
    while (std::to_string(length).size() + record.size() != length) {
      length = std::to_string(length).size() + record.size();
    }
    return Add({.name = "pax", .type = 'x', .data = std::to_string(length) + record});
  }

  // Without the end-of-archive blocks.
  const std::string& bytes() const { return bytes_; }
  std::filesystem::path Save(const std::filesystem::path& path) const {
    WriteText(path, bytes_ + std::string(1024, '\0'));
    return path;
  }

 private:
  std::string bytes_;
};

}  // namespace zrun::images
