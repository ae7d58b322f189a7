#include "compat/strace_format.h"

#include <gtest/gtest.h>

#include <string>

#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"

namespace zrun::compat {
namespace {

using hal::kPageSize;
constexpr uint64_t kBase = 0x10'0000'0000;

std::string Named(std::string_view type, uint64_t value) {
  TextBuilder out;
  return ShowNamed(out, type, value) ? std::string(out.view()) : "(no names)";
}

TEST(StraceFormat, TakesParametersApart) {
  const std::string_view text = "Fd fd, UserPtr<const abi::Iovec> vectors, uint64_t count";
  EXPECT_EQ(ParameterAt(text, 0).type, "Fd");
  EXPECT_EQ(ParameterAt(text, 0).name, "fd");
  EXPECT_EQ(ParameterAt(text, 1).type, "UserPtr<const abi::Iovec>");
  EXPECT_EQ(ParameterAt(text, 1).name, "vectors");
  EXPECT_EQ(ParameterAt(text, 2).name, "count");
  EXPECT_EQ(ParameterAt(text, 3).type, "");
  EXPECT_EQ(ParameterAt("", 0).type, "");
}

TEST(StraceFormat, NamesBits) {
  EXPECT_EQ(Named("OpenFlags", 0), "O_RDONLY");
  EXPECT_EQ(Named("OpenFlags", 02000000), "O_RDONLY|O_CLOEXEC");
  EXPECT_EQ(Named("OpenFlags", 01 | 0100 | 01000), "O_WRONLY|O_CREAT|O_TRUNC");
  EXPECT_EQ(Named("AtFlags", 0), "0");
  EXPECT_EQ(Named("AtFlags", 0x100 | 0x40000), "AT_SYMLINK_NOFOLLOW|0x40000");
  EXPECT_EQ(Named("AccessMask", 0), "F_OK");
  EXPECT_EQ(Named("AccessMask", 6), "R_OK|W_OK");
  EXPECT_EQ(Named("Whence", 2), "SEEK_END");
  EXPECT_EQ(Named("Whence", 77), "0x4d");
  EXPECT_EQ(Named("FileMode", 0100644), "S_IFREG|0644");
  EXPECT_EQ(Named("FileMode", 0755), "0755");
  EXPECT_EQ(Named("SocketType", 1 | 02000000), "SOCK_STREAM|SOCK_CLOEXEC");
  EXPECT_EQ(Named("Unheard", 1), "(no names)");
}

TEST(StraceFormat, QuotesText) {
  const auto show = [](std::string_view text, size_t max) {
    TextBuilder out;
    ShowText(out, text, max);
    return std::string(out.view());
  };
  EXPECT_EQ(show("plain", 32), "\"plain\"");
  EXPECT_EQ(show("a\n\t\"\\", 32), "\"a\\n\\t\\\"\\\\\"");
  EXPECT_EQ(show(std::string_view("\0x", 2), 32), "\"\\0x\"");
  EXPECT_EQ(show(std::string_view("\0001", 2), 32), "\"\\0001\"");
  EXPECT_EQ(show("\x7f", 32), "\"\\177\"");
  EXPECT_EQ(show("abcdef", 4), "\"abcd\"...");
}

TEST(StraceFormat, ShowsResults) {
  const auto show = [](std::string_view call, SyscallResult result) {
    TextBuilder out;
    ShowResult(out, call, result);
    return std::string(out.view());
  };
  EXPECT_EQ(show("read", 12), "12");
  EXPECT_EQ(show("open", Errno::kENOENT), "-1 ENOENT (No such file or directory)");
  EXPECT_EQ(show("mmap", 0x7f0000001000), "0x7f0000001000");
  EXPECT_EQ(show("read", Errno::kRestartSys),
            "? ERESTARTSYS (To be restarted if SA_RESTART is set)");
}

class StraceMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    region_ = VmAddressRegion::Create(hal::CreateAddressSpace().value()).value();
    hal::fake::EnterSpace(&region_->space());
    Mapping mapping;
    mapping.range = {kBase, kPageSize};
    mapping.access = hal::Access::kRead | hal::Access::kWrite;
    mapping.flags = MapFlags::kPrivate | MapFlags::kFixed;
    ASSERT_TRUE(region_->Map(std::move(mapping)).ok());
  }
  void TearDown() override { hal::fake::EnterSpace(nullptr); }
  uint64_t Put(std::string_view text) {
    const uint64_t at = next_;
    next_ += text.size() + 1;
    EXPECT_TRUE(
        UserMemory(*region_).WriteAll(UserPtr<std::byte>(at), std::as_bytes(std::span(text))).ok());
    return at;
  }
  // The arguments as the table declares them, separated as strace does.
  std::string Show(std::string_view call, std::string_view parameters, const SyscallArgs& args,
                   const SyscallResult& result) {
    TextBuilder out;
    TraceContext context{UserMemory(*region_), call, args, &result};
    for (size_t i = 0; !ParameterAt(parameters, i).type.empty(); i++) {
      if (i) out.Append(", ");
      ShowArgument(out, context, ParameterAt(parameters, i), i);
    }
    return std::string(out.view());
  }
  RefPtr<VmAddressRegion> region_;
  uint64_t next_ = kBase;
};

TEST_F(StraceMemoryTest, ShowsPathsAndDescriptors) {
  const std::string_view parameters =
      "Fd directory, UserCString path, OpenFlags flags, FileMode mode";
  const uint64_t path = Put("/etc/passwd");
  EXPECT_EQ(Show("openat", parameters, {uint64_t(-100), path, 02000000, 0}, 3),
            "AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC, 0000");
  EXPECT_EQ(Show("openat", parameters, {5, 0, 0, 0}, Errno::kEFAULT), "5, NULL, O_RDONLY, 0000");
  EXPECT_EQ(Show("openat", parameters, {5, 0x1000, 0, 0}, Errno::kEFAULT),
            "5, 0x1000, O_RDONLY, 0000");
}

TEST_F(StraceMemoryTest, ShowsBuffersOnceFilled) {
  const uint64_t buffer = Put("hello world");
  const std::string_view read = "Fd fd, UserPtr<std::byte> buffer, uint64_t count";
  EXPECT_EQ(Show("read", read, {3, buffer, 100}, 5), "3, \"hello\", 100");
  EXPECT_EQ(Show("read", read, {3, buffer, 100}, Errno::kEAGAIN), "3, 0x1000000000, 100");
  const std::string_view write = "Fd fd, UserPtr<const std::byte> buffer, uint64_t count";
  EXPECT_EQ(Show("write", write, {1, buffer, 11}, Errno::kEPIPE), "1, \"hello world\", 11");
}

TEST_F(StraceMemoryTest, ShowsStructures) {
  const abi::Timespec time{1, 500};
  const uint64_t at = Put({reinterpret_cast<const char*>(&time), sizeof time});
  EXPECT_EQ(Show("nanosleep", "UserPtr<const abi::Timespec> request", {at}, 0),
            "{tv_sec=1, tv_nsec=500}");
  const int32_t fds[2] = {3, 4};
  const uint64_t pair = Put({reinterpret_cast<const char*>(fds), sizeof fds});
  EXPECT_EQ(Show("pipe", "UserPtr<int32_t> fds", {pair}, 0), "[3, 4]");
}

TEST_F(StraceMemoryTest, ShowsStringArrays) {
  const uint64_t first = Put("ls"), second = Put("-l");
  const uint64_t array[3] = {first, second, 0};
  next_ = (next_ + 7) & ~uint64_t{7};
  const uint64_t at = Put({reinterpret_cast<const char*>(array), sizeof array});
  EXPECT_EQ(
      Show("execve", "UserPtr<const uint64_t> argv, UserPtr<const uint64_t> envp", {at, at}, 0),
      "[\"ls\", \"-l\"], 0x" +
          [&] {
            TextBuilder out;
            zrun::Write(out, Hex{at});
            return std::string(out.view());
          }() +
          " /* 2 vars */");
}

}  // namespace
}  // namespace zrun::compat
