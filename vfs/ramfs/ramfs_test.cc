#include "vfs/ramfs/ramfs.h"

#include <set>

#include "objects/vm/page_allocator.h"
#include "vfs/test_tree.h"

namespace zrun::vfs {
namespace {

using test::ErrorOf;
using test::Get;
using test::Tree;
using enum OpenFlags;

std::string ReadAt(FileDescription& file, uint64_t offset, size_t size) {
  std::string text(size, 'x');
  SpanSink sink(std::as_writable_bytes(std::span(text)));
  text.resize(Get(file.ReadAt(offset, sink)));
  return text;
}
size_t WriteAt(FileDescription& file, uint64_t offset, std::string_view text) {
  SpanSource source(std::as_bytes(std::span(text)));
  return Get(file.WriteAt(offset, source));
}
// Takes some bytes and then faults.
class FaultingSource final : public DataSource {
 public:
  FaultingSource(size_t good, size_t claimed) : good_(good), claimed_(claimed) {}
  size_t remaining() const override { return claimed_; }
  Result<size_t> Take(std::span<std::byte> bytes) override {
    const size_t count = std::min(good_, bytes.size());
    if (count == 0) return Errno::kEFAULT;
    std::fill_n(bytes.begin(), count, std::byte{'g'});
    good_ -= count;
    claimed_ -= count;
    return count;
  }
  Result<size_t> Peek(std::span<std::byte> bytes) override {
    return FaultingSource(*this).Take(bytes);
  }

 private:
  size_t good_, claimed_;
};

TEST(Ramfs, ReadsAndWrites) {
  Tree tree;
  auto file = Get(tree.Open("/f", kReadWrite | kCreate));
  EXPECT_EQ(WriteAt(*file, 10000, "end"), 3u);
  EXPECT_EQ(ReadAt(*file, 9998, 10), std::string("\0\0end", 5));
  EXPECT_EQ(ReadAt(*file, 10003, 10), "");
  EXPECT_EQ(tree.Stat("/f").size, 10003u);
  EXPECT_EQ(Get(file->Seek(0, 3)), 8192u);
  EXPECT_EQ(Get(file->Seek(0, 4)), 0u);
  EXPECT_EQ(Get(file->Seek(9000, 4)), 10003u);
  EXPECT_EQ(ErrorOf(file->Seek(10003, 3)), "ENXIO");
  EXPECT_EQ(Get(file->Seek(-3, 2)), 10000u);
  EXPECT_EQ(test::ReadAll(*file), "end");
  EXPECT_EQ(ErrorOf(file->Seek(-1, 0)), "EINVAL");

  EXPECT_EQ(ErrorOf(file->Truncate(10001)), "OK");
  EXPECT_EQ(ErrorOf(file->Truncate(20000)), "OK");
  EXPECT_EQ(ReadAt(*file, 10000, 4), std::string("e\0\0\0", 4));
  EXPECT_EQ(ErrorOf(Get(tree.Open("/f", kReadOnly))->Truncate(0)), "EINVAL");
}

TEST(Ramfs, Appends) {
  Tree tree;
  auto a = Get(tree.Open("/f", kWriteOnly | kCreate | kAppend));
  auto b = Get(tree.Open("/f", kWriteOnly | kAppend));
  Get(test::WriteText(*a, "one"));
  Get(test::WriteText(*b, "two"));
  Get(test::WriteText(*a, "three"));
  EXPECT_EQ(WriteAt(*b, 0, "four"), 4u);
  EXPECT_EQ(tree.Read("/f"), "onetwothreefour");
}

TEST(Ramfs, PartialWritesLeaveNoTrace) {
  Tree tree;
  auto file = Get(tree.Open("/f", kReadWrite | kCreate));
  FaultingSource some(5000, 20000), none(0, 100);
  EXPECT_EQ(Get(file->Write(some)), 5000u);
  EXPECT_EQ(tree.Stat("/f").size, 5000u);
  EXPECT_EQ(ErrorOf(file->Write(none)), "EFAULT");
  EXPECT_EQ(tree.Stat("/f").size, 5000u);
}

TEST(Ramfs, Allocates) {
  Tree tree;
  auto file = Get(tree.Open("/f", kReadWrite | kCreate));
  EXPECT_EQ(ErrorOf(file->Allocate(0, 0, 10000)), "OK");
  EXPECT_EQ(tree.Stat("/f").size, 10000u);
  EXPECT_EQ(tree.Stat("/f").blocks, 24u);
  EXPECT_EQ(WriteAt(*file, 0, std::string(10000, 'a')), 10000u);
  EXPECT_EQ(ErrorOf(file->Allocate(3, 4000, 5000)), "OK");
  EXPECT_EQ(ReadAt(*file, 3999, 2), std::string("a\0", 2));
  EXPECT_EQ(ReadAt(*file, 8999, 2), std::string("\0a", 2));
  EXPECT_EQ(tree.Stat("/f").blocks, 16u);
  EXPECT_EQ(ErrorOf(file->Allocate(1, 0, 50000)), "OK");
  EXPECT_EQ(tree.Stat("/f").size, 10000u);
  EXPECT_EQ(ErrorOf(file->Allocate(8, 0, 4096)), "EOPNOTSUPP");
  EXPECT_EQ(ErrorOf(file->Allocate(0, 0, 0)), "EINVAL");
}

// Who asks for more memory than there is leaves the others what they have.
TEST(Ramfs, AllocatesNoMoreThanThereIs) {
  Tree tree;
  auto file = Get(tree.Open("/f", kReadWrite | kCreate));
  EXPECT_EQ(ErrorOf(file->Allocate(0, 0, 10000)), "OK");
  const uint64_t free = RamFrames().statistics().free_bytes;
  EXPECT_EQ(ErrorOf(file->Allocate(0, 0, uint64_t{1} << 45)), "ENOSPC");
  EXPECT_EQ(ErrorOf(file->Allocate(0, uint64_t{1} << 50, free)), "ENOSPC");
  EXPECT_EQ(ErrorOf(file->Allocate(0, 0, free + 4096)), "ENOSPC");
  EXPECT_EQ(RamFrames().statistics().free_bytes, free);
  EXPECT_EQ(tree.Stat("/f").size, 10000u);
  // The size alone costs nothing.
  EXPECT_EQ(ErrorOf(file->Truncate(uint64_t{1} << 45)), "OK");
  EXPECT_EQ(ErrorOf(file->Allocate(1, 0, uint64_t{1} << 45)), "ENOSPC");
  EXPECT_EQ(ErrorOf(file->Allocate(3, 0, uint64_t{1} << 45)), "OK");
}

TEST(Ramfs, IsFullAtItsLimits) {
  Tree tree(Get(MountTmpfs("", "size=16k,nr_inodes=4,mode=700,uid=5")));
  EXPECT_EQ(tree.Stat("/").mode, kModeDirectory | 0700);
  EXPECT_EQ(tree.Stat("/").uid, 5u);
  auto file = Get(tree.Open("/f", kReadWrite | kCreate));
  EXPECT_EQ(Get(test::WriteText(*file, std::string(20000, 'x'))), 16384u);
  EXPECT_EQ(ErrorOf(test::WriteText(*file, "y")), "ENOSPC");
  // What is there may be written again.
  EXPECT_EQ(WriteAt(*file, 4000, std::string(5000, 'z')), 5000u);
  StatFs stat = Get(tree.root.mount->file_system().GetStatFs());
  EXPECT_EQ(stat.type, 0x01021994u);
  EXPECT_EQ(stat.blocks, 4u);
  EXPECT_EQ(stat.blocks_free, 0u);
  EXPECT_EQ(stat.files, 4u);
  EXPECT_EQ(stat.files_free, 2u);
  EXPECT_EQ(ErrorOf(file->Truncate(4096)), "OK");
  EXPECT_EQ(Get(tree.root.mount->file_system().GetStatFs()).blocks_free, 3u);
  EXPECT_EQ(ErrorOf(file->Allocate(0, 0, 20480)), "ENOSPC");
  tree.MakeFile("/g");
  tree.MakeFile("/h");
  EXPECT_EQ(ErrorOf(tree.Open("/i", kCreate)), "ENOSPC");
  file = nullptr;
  EXPECT_EQ(ErrorOf(tree.Unlink("/f")), "OK");
  Dentry::ShrinkCache();
  EXPECT_EQ(ErrorOf(tree.Open("/i", kCreate)), "OK");
  EXPECT_EQ(ErrorOf(MountTmpfs("", "size=1x")), "EINVAL");
  EXPECT_EQ(ErrorOf(MountTmpfs("", "nonsense")), "EINVAL");
}

TEST(Ramfs, LongLinkTargetsHaveAPage) {
  Tree tree(Get(MountTmpfs("", "size=4k")));
  const auto free = [&] { return Get(tree.root.mount->file_system().GetStatFs()).blocks_free; };
  tree.MakeSymlink("/short", std::string(127, 's'));
  EXPECT_EQ(free(), 1u);
  tree.MakeSymlink("/long", std::string(128, 'l'));
  EXPECT_EQ(free(), 0u);
  EXPECT_EQ(ErrorOf(MakeSymlink(tree.context(), std::string(128, 'm'), "/more")), "ENOSPC");
  tree.MakeSymlink("/another", std::string(127, 's'));
  EXPECT_EQ(ErrorOf(tree.Unlink("/long")), "OK");
  Dentry::ShrinkCache();
  EXPECT_EQ(free(), 1u);
}

TEST(Ramfs, ReadsDirectoriesWhileTheyChange) {
  Tree tree;
  tree.MakeDirectory("/d");
  for (int i = 0; i < 300; i++) tree.MakeFile("/d/" + std::to_string(i));
  auto directory = Get(tree.Open("/d", kReadOnly | kDirectory));
  std::set<std::string> seen;
  // Everything is seen once although each batch is removed at once.
  for (;;) {
    test::NameSink sink(7);
    ASSERT_EQ(ErrorOf(directory->ReadDirectory(sink)), "OK");
    if (sink.names.empty()) break;
    for (const std::string& name : sink.names) {
      EXPECT_TRUE(seen.insert(name).second) << name;
      if (name[0] != '.') {
        EXPECT_EQ(ErrorOf(tree.Unlink("/d/" + name)), "OK");
      }
    }
  }
  EXPECT_EQ(seen.size(), 302u);
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/d")), "OK");
  Get(directory->Seek(0, 0));
  test::NameSink sink;
  EXPECT_EQ(ErrorOf(directory->ReadDirectory(sink)), "ENOENT");
}

// More names than the cache keeps, and none that can go.
TEST(Ramfs, TreesMayBeDeep) {
  Tree tree;
  constexpr int kDepth = 40000;
  for (int i = 0; i < kDepth; i++) {
    tree.MakeDirectory("d");
    tree.cwd = Get(tree.Walk("d"));
  }
  for (int i = 0; i < kDepth / 2; i++) {
    tree.cwd = Get(tree.Walk(".."));
    test::Check(tree.RemoveDirectory("d"));
  }
}

TEST(Ramfs, CountsLinksAndTimes) {
  Tree tree;
  EXPECT_EQ(tree.Stat("/").links, 2u);
  tree.MakeDirectory("/d");
  EXPECT_EQ(tree.Stat("/").links, 3u);
  EXPECT_EQ(tree.Stat("/d").links, 2u);
  EXPECT_EQ(ErrorOf(tree.RemoveDirectory("/d")), "OK");
  EXPECT_EQ(tree.Stat("/").links, 2u);
  tree.MakeFile("/f", "x");
  const Attributes before = tree.Stat("/f");
  EXPECT_EQ(ErrorOf(ChangeMode(*tree.as, Get(tree.Walk("/f")), 0600)), "OK");
  EXPECT_GT(tree.Stat("/f").ctime, before.ctime);
  EXPECT_EQ(tree.Stat("/f").mtime, before.mtime);
  tree.Read("/f");
  const hal::Nanoseconds atime = tree.Stat("/f").atime;
  EXPECT_GE(atime, before.mtime);
  tree.Read("/f");
  EXPECT_EQ(tree.Stat("/f").atime, atime);  // relatime
}

TEST(Ramfs, SealsMemfd) {
  auto vnode = Get(CreateMemfdVnode(0600, 0, 0, true));
  EXPECT_EQ(Get(vnode->GetSeals()), 0u);
  SpanSource source(std::as_bytes(std::span("text", 4)));
  EXPECT_EQ(Get(vnode->Write(0, source)), 4u);
  EXPECT_EQ(ErrorOf(vnode->AddSeals(FileSeal::kGrow | FileSeal::kShrink)), "OK");
  EXPECT_EQ(ErrorOf(vnode->Truncate(3)), "EPERM");
  EXPECT_EQ(ErrorOf(vnode->Truncate(5)), "EPERM");
  // The page that holds the end is refused as a whole.
  SpanSource longer(std::as_bytes(std::span("abcdef", 6)));
  EXPECT_EQ(ErrorOf(vnode->Write(2, longer)), "EPERM");
  EXPECT_EQ(ErrorOf(vnode->AddSeals(FileSeal::kWrite | FileSeal::kSeal)), "OK");
  SpanSource more(std::as_bytes(std::span("x", 1)));
  EXPECT_EQ(ErrorOf(vnode->Write(0, more)), "EPERM");
  EXPECT_EQ(ErrorOf(vnode->AddSeals(0)), "EPERM");
  auto plain = Get(CreateMemfdVnode(0600, 0, 0, false));
  EXPECT_EQ(Get(plain->GetSeals()), uint32_t{FileSeal::kSeal});
  Tree tree;
  tree.MakeFile("/f");
  EXPECT_EQ(Get(Get(tree.Walk("/f")).vnode()->GetSeals()), uint32_t{FileSeal::kSeal});
}

TEST(Ramfs, MapsWhatIsWritten) {
  Tree tree;
  auto file = Get(tree.Open("/f", kReadWrite | kCreate));
  Get(test::WriteText(*file, "before"));
  auto contents = Get(file->Mmap());
  std::byte bytes[6];
  EXPECT_EQ(Get(contents->Read(0, bytes)), 6u);
  EXPECT_EQ(bytes[0], std::byte{'b'});
  bytes[0] = std::byte{'B'};
  EXPECT_EQ(Get(contents->Write(0, bytes)), 6u);
  EXPECT_EQ(tree.Read("/f"), "Before");
}

}  // namespace
}  // namespace zrun::vfs
