#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "objects/boot_for_test.h"
#include "vfs/erofs/erofs.h"

// Reads everything that an image says there is. A checksum would keep the fuzzer out, so that
// feature is switched off in the input.
namespace zrun::vfs {
namespace {

constexpr int kMaxFiles = 200, kMaxDepth = 6;

class Names final : public DirentSink {
 public:
  bool Add(uint64_t, VnodeType, std::string_view name, uint64_t) override {
    names.emplace_back(name);
    return names.size() < 32;
  }
  std::vector<std::string> names;
};

void Visit(Vnode& vnode, int depth, int& files) {
  if (++files > kMaxFiles) return;
  if (!vnode.GetAttributes().ok()) return;
  std::vector<std::byte> buffer(3000);
  std::vector<char> names(500);
  static_cast<void>(vnode.GetXattr("user.a", buffer));
  static_cast<void>(vnode.ListXattr(names));
  static_cast<void>(vnode.ReadLink());
  if (vnode.type() == VnodeType::kRegular) {
    for (uint64_t offset : {uint64_t{0}, uint64_t{4000}, uint64_t{1} << 31}) {
      SpanSink sink(buffer);
      static_cast<void>(vnode.Read(offset, sink));
    }
    auto contents = vnode.Contents();
    if (contents.ok()) static_cast<void>(contents.value()->Read(100, buffer));
  }
  if (vnode.type() != VnodeType::kDirectory) return;
  Names entries;
  static_cast<void>(vnode.ReadDirectory(0, entries));
  static_cast<void>(vnode.Lookup("no such name"));
  for (const std::string& name : entries.names) {
    auto child = vnode.Lookup(name);
    if (child.ok() && depth < kMaxDepth) Visit(*child.value(), depth + 1, files);
  }
}

}  // namespace
}  // namespace zrun::vfs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> image(size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, image.begin());
  constexpr size_t kCompatFeatures = 1024 + 8;
  if (size > kCompatFeatures) image[kCompatFeatures] &= std::byte{0xfe};
  auto mounted = zrun::vfs::MountErofsImage({image, std::nullopt, std::nullopt});
  if (!mounted.ok()) return 0;
  int files = 0;
  const auto root = mounted.value()->Root();
  zrun::vfs::Visit(*root, 0, files);
  return 0;
}
