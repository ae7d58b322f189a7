#include "images/file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/error.h"

namespace zrun::images {

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

UniqueFd OpenFile(const std::filesystem::path& path, int flags) {
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.is_valid()) throw SystemError("cannot open '" + path.string() + "'");
  return fd;
}

std::string ReadFile(const std::filesystem::path& path) {
  UniqueFd fd = OpenFile(path, O_RDONLY);
  std::string contents;
  char buffer[16384];
  while (size_t count =
             ReadFully(fd.get(), buffer, sizeof buffer, off_t(contents.size()), path.string())) {
    contents.append(buffer, count);
  }
  return contents;
}

size_t ReadFully(int fd, void* buffer, size_t size, off_t offset, const std::string& name) {
  size_t done = 0;
  while (done < size) {
    ssize_t count = pread(fd, static_cast<char*>(buffer) + done, size - done, offset + off_t(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw SystemError("cannot read '" + name + "'");
    if (count == 0) break;
    done += size_t(count);
  }
  return done;
}

void WriteFully(int fd, const void* data, size_t size, off_t offset, const std::string& name) {
  size_t done = 0;
  while (done < size) {
    ssize_t count =
        pwrite(fd, static_cast<const char*>(data) + done, size - done, offset + off_t(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw SystemError("cannot write '" + name + "'");
    done += size_t(count);
  }
}

NewFile::NewFile(std::filesystem::path path) : path_(std::move(path)) {
  std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  fd_ = UniqueFd(open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0644));
  if (fd_.is_valid()) return;
  // EISDIR and EOPNOTSUPP are how file systems without O_TMPFILE answer; other errors come back
  // here.
  temporary_ = RandomName();
  fd_ = UniqueFd(open(temporary_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644));
  if (!fd_.is_valid()) {
    int error = errno;
    temporary_.clear();
    throw SystemError("cannot create '" + path_.string() + "'", error);
  }
}

NewFile::~NewFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

std::filesystem::path NewFile::RandomName() const {
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) number = uint64_t(getpid());
  std::filesystem::path name = path_;
  return name.replace_filename("." + path_.filename().string() + "." + std::to_string(number));
}

void NewFile::Publish() {
  if (fdatasync(fd_.get()) != 0) throw SystemError("cannot write '" + path_.string() + "'");
  if (temporary_.empty()) {
    // linkat() cannot replace a file, so the name is made beside it and renamed; see open(2).
    std::filesystem::path name = RandomName();
    std::string source = "/proc/self/fd/" + std::to_string(fd_.get());
    if (linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      throw SystemError("cannot create '" + path_.string() + "'");
    }
    temporary_ = std::move(name);
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw SystemError("cannot create '" + path_.string() + "'");
  }
  temporary_.clear();
}

void WriteFileAtomically(const std::filesystem::path& path, const std::string& contents) {
  NewFile file(path);
  WriteFully(file.fd(), contents.data(), contents.size(), 0, path.string());
  file.Publish();
}

}  // namespace zrun::images
