#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "images/cache.h"
#include "images/file.h"
#include "images/pack.h"

// Any bytes are either refused with an ImageError or become an image that opens. The input's first
// byte tells where it is cut into two layers, so that whiteouts have something to hide.
namespace {

using zrun::images::UniqueFd;

std::string PathOf(const UniqueFd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

UniqueFd MakeLayer(const uint8_t* data, size_t size) {
  UniqueFd fd(memfd_create("layer", MFD_CLOEXEC));
  if (!fd.is_valid()) abort();
  zrun::images::WriteFully(fd.get(), data, size, 0, "layer");
  return fd;
}

// tar counts in blocks, and an archive ends with two of zeros: without them hardly any input would
// be one.
UniqueFd MakeArchive(const uint8_t* data, size_t size) {
  UniqueFd fd = MakeLayer(data, size);
  if (ftruncate(fd.get(), off_t((size + 511) / 512 * 512 + 1024)) != 0) abort();
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  static const std::filesystem::path output =
      std::filesystem::temp_directory_path() / ("zrun-tar-fuzz." + std::to_string(getpid()));
  size_t cut = (size - 1) * data[0] / 256 / 512 * 512;
  UniqueFd lower = MakeArchive(data + 1, cut);
  UniqueFd upper =
      data[0] == 0 ? MakeLayer(data + 1, size - 1) : MakeArchive(data + 1 + cut, size - 1 - cut);
  bool is_packed = false;
  try {
    zrun::images::PackLayers({PathOf(lower), PathOf(upper)}, output);
    is_packed = true;
    zrun::images::OpenImage(output);
  } catch (const zrun::images::ImageError&) {
    if (is_packed) abort();
  }
  unlink(output.c_str());
  return 0;
}
