#include "compat/user_buffer.h"

#include <gtest/gtest.h>

#include <string>

#include "compat/abi/arch.h"
#include "hal/fake/fake.h"
#include "objects/boot_for_test.h"

namespace zrun::compat {
namespace {

using hal::kPageSize;
constexpr uint64_t kBase = 0x10'0000'0000;
// Two pages of memory, then a hole.
constexpr uint64_t kEnd = kBase + 2 * kPageSize;

class UserBufferTest : public testing::Test {
 protected:
  void SetUp() override {
    region_ = VmAddressRegion::Create(hal::CreateAddressSpace().value()).value();
    hal::fake::EnterSpace(&region_->space());
    Mapping mapping;
    mapping.range = {kBase, 2 * kPageSize};
    mapping.access = hal::Access::kRead | hal::Access::kWrite;
    mapping.flags = MapFlags::kPrivate | MapFlags::kFixed;
    ASSERT_TRUE(region_->Map(std::move(mapping)).ok());
  }
  void TearDown() override { hal::fake::EnterSpace(nullptr); }
  UserMemory memory() { return UserMemory(*region_); }
  std::string Read(uint64_t address, size_t size) {
    std::string text(size, '?');
    EXPECT_TRUE(
        memory()
            .ReadAll(std::as_writable_bytes(std::span(text)), UserPtr<const std::byte>(address))
            .ok());
    return text;
  }
  void Fill(uint64_t address, std::string_view text) {
    EXPECT_TRUE(
        memory().WriteAll(UserPtr<std::byte>(address), std::as_bytes(std::span(text))).ok());
  }
  static std::span<const std::byte> Bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }
  RefPtr<VmAddressRegion> region_;
};

TEST_F(UserBufferTest, PutsPieceByPiece) {
  UserSink sink(memory(), UserPtr<std::byte>(kBase), 8);
  EXPECT_EQ(sink.remaining(), 8u);
  EXPECT_EQ(sink.Put(Bytes("abc")).value(), 3u);
  EXPECT_EQ(sink.PutZeros(2).value(), 2u);
  EXPECT_EQ(sink.Put(Bytes("defgh")).value(), 3u);
  EXPECT_EQ(sink.remaining(), 0u);
  EXPECT_EQ(Read(kBase, 8), std::string("abc\0\0def", 8));
}

TEST_F(UserBufferTest, StopsAtTheFirstBadByte) {
  UserSink sink(memory(), UserPtr<std::byte>(kEnd - 3), 10);
  EXPECT_EQ(sink.Put(Bytes("abcdef")).value(), 3u);
  EXPECT_EQ(sink.Put(Bytes("def")).error(), Errno::kEFAULT);
  EXPECT_EQ(Read(kEnd - 3, 3), "abc");
  UserSource source(memory(), UserPtr<const std::byte>(kEnd - 3), 10);
  std::array<std::byte, 10> out;
  EXPECT_EQ(source.Take(out).value(), 3u);
  EXPECT_EQ(source.Take(out).error(), Errno::kEFAULT);
}

TEST_F(UserBufferTest, TouchesNothingForNoBytes) {
  UserSink sink(memory(), UserPtr<std::byte>(8), 0);
  EXPECT_EQ(sink.Put({}).value(), 0u);
  UserSink wild(memory(), UserPtr<std::byte>(8), 5);
  EXPECT_EQ(wild.Put({}).value(), 0u);
  EXPECT_EQ(wild.Put(Bytes("x")).error(), Errno::kEFAULT);
}

TEST_F(UserBufferTest, ScattersOverVectors) {
  const abi::Iovec vectors[] = {{kBase, 3}, {kBase + 100, 0}, {kBase + 200, 4}};
  UserSink sink(memory(), vectors);
  EXPECT_EQ(sink.remaining(), 7u);
  EXPECT_EQ(sink.Put(Bytes("abcde")).value(), 5u);
  EXPECT_EQ(sink.Put(Bytes("fgh")).value(), 2u);
  EXPECT_EQ(Read(kBase, 3), "abc");
  EXPECT_EQ(Read(kBase + 200, 4), "defg");
  UserSource source(memory(), vectors);
  std::string out(7, '?');
  EXPECT_EQ(source.Take(std::as_writable_bytes(std::span(out))).value(), 7u);
  EXPECT_EQ(out, "abcdefg");
}

TEST_F(UserBufferTest, EndsAtAnEmptyVectorBeforeABadOne) {
  const abi::Iovec vectors[] = {{kBase, 2}, {8, 0}, {kEnd - 1, 4}};
  UserSink sink(memory(), vectors);
  EXPECT_EQ(sink.Put(Bytes("abcdef")).value(), 3u);
  EXPECT_EQ(sink.Put(Bytes("d")).error(), Errno::kEFAULT);
}

TEST_F(UserBufferTest, ChecksIovecs) {
  const auto write = [&](size_t index, abi::Iovec vector) {
    EXPECT_TRUE(memory().Write(UserPtr<abi::Iovec>(kBase).at(index), vector).ok());
  };
  const UserPtr<const abi::Iovec> pointer(kBase);
  write(0, {1, 10});
  write(1, {2, 20});
  EXPECT_EQ(ReadIovecs(memory(), pointer, 2).value().size(), 2u);
  EXPECT_EQ(ReadIovecs(memory(), pointer, 0).value().size(), 0u);
  EXPECT_EQ(ReadIovecs(memory(), pointer, 1025).error(), Errno::kEINVAL);
  EXPECT_EQ(ReadIovecs(memory(), UserPtr<const abi::Iovec>(kEnd - 16), 2).error(), Errno::kEFAULT);
  write(1, {2, uint64_t(-1)});
  EXPECT_EQ(ReadIovecs(memory(), pointer, 2).error(), Errno::kEINVAL);
  write(0, {abi::kUserTop + 1, 0});
  write(1, {2, 20});
  EXPECT_EQ(ReadIovecs(memory(), pointer, 2).error(), Errno::kEFAULT);
  EXPECT_TRUE(ReadForeignIovecs(memory(), pointer, 2).ok());
  write(0, {1, kMaxRwCount - 5});
  const auto cut = ReadIovecs(memory(), pointer, 2);
  EXPECT_EQ(cut.value()[1].length, 5u);
}

}  // namespace
}  // namespace zrun::compat
