#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <vector>

#include "images/error.h"
#include "images/layers.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

// libarchive turns the UTF-8 names of pax headers into the locale's encoding; in this one nothing
// changes.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) previous_ = uselocale(locale_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    if (locale_ == nullptr) return;
    uselocale(previous_);
    freelocale(locale_);
  }

 private:
  locale_t locale_;
  locale_t previous_ = nullptr;
};

// The archive's bytes, for libarchive: a whole file, or a part of one.
struct Input {
  UniqueFd fd;
  std::string name;
  off_t offset = 0;
  off_t end = 0;
  const ReadCallback& on_read;
  std::vector<char> buffer = std::vector<char>(256 << 10);

  size_t Next() {
    size_t want = std::min(buffer.size(), size_t(end - offset));
    size_t count = ReadFully(fd.get(), buffer.data(), want, offset, name);
    offset += off_t(count);
    if (on_read) on_read(count);
    return count;
  }
};

la_ssize_t ReadInput(archive* reader, void* data, const void** buffer) {
  Input& input = *static_cast<Input*>(data);
  try {
    *buffer = input.buffer.data();
    return la_ssize_t(input.Next());
  } catch (const ImageError& error) {
    archive_set_error(reader, EIO, "%s", error.what());
    return -1;
  }
}

// A Debian package is an ar archive whose member data.tar.* holds the files; see deb(5).
void NarrowToDebianData(Input& input) {
  constexpr std::string_view kMagic = "!<arch>\n";
  struct Header {
    char name[16];
    char other[32];
    char size[10];
    char magic[2];
  };
  static_assert(sizeof(Header) == 60);
  char magic[kMagic.size()];
  if (ReadFully(input.fd.get(), magic, sizeof magic, 0, input.name) != sizeof magic ||
      std::string_view(magic, sizeof magic) != kMagic) {
    return;
  }
  for (off_t offset = sizeof magic;;) {
    Header header;
    if (ReadFully(input.fd.get(), &header, sizeof header, offset, input.name) != sizeof header) {
      throw ImageError("it has no data.tar member: a truncated Debian package?");
    }
    offset += off_t(sizeof header);
    std::string digits(header.size, strnlen(header.size, sizeof header.size));
    long size = digits.empty() || digits[0] < '0' || digits[0] > '9' ? -1 : std::stol(digits);
    if (memcmp(header.magic, "`\n", 2) != 0 || size < 0 || size > input.end - offset) {
      throw ImageError("it is a broken or truncated Debian package");
    }
    if (std::string_view(header.name, sizeof header.name).starts_with("data.tar")) {
      input.offset = offset;
      input.end = offset + size;
      return;
    }
    offset += size + size % 2;
  }
}

struct ArchiveDeleter {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchivePointer = std::unique_ptr<archive, ArchiveDeleter>;

std::string Reason(archive* reader) {
  const char* text = archive_error_string(reader);
  return text != nullptr ? text : "it is broken";
}

class ArchiveReader {
 public:
  ArchiveReader(Tree& tree, ErofsWriter& writer, const fs::path& layer, const ReadCallback& on_read)
      : tree_(tree),
        writer_(writer),
        input_{OpenFile(layer, O_RDONLY), layer.string(), 0, 0, on_read},
        reader_(archive_read_new()) {
    if (reader_ == nullptr) throw std::bad_alloc();
    struct stat info;
    if (fstat(input_.fd.get(), &info) != 0) throw SystemError("cannot read it");
    input_.end = info.st_size;
    NarrowToDebianData(input_);
    archive_read_support_filter_gzip(reader());
    archive_read_support_filter_xz(reader());
    archive_read_support_filter_zstd(reader());
    archive_read_support_format_tar(reader());
    archive_read_support_format_gnutar(reader());
  }

  void Run() {
    if (archive_read_open(reader(), &input_, nullptr, ReadInput, nullptr) != ARCHIVE_OK) {
      std::string reason = Reason(reader());
      if (reason.find("Unrecognized archive format") != reason.npos) {
        reason =
            "it is not a tar archive (plain, gzip, xz or zstd), Debian package, image or directory";
      }
      throw ImageError(reason);
    }
    archive_entry* entry = nullptr;
    while (Next(&entry)) {
      const char* name = archive_entry_pathname(entry);
      if (name == nullptr) throw ImageError("an entry has no name");
      entry_ = name;
      AddEntry(entry);
    }
  }

  // The entry being read, for messages.
  const std::string& entry() const { return entry_; }

 private:
  archive* reader() { return reader_.get(); }

  bool Next(archive_entry** entry) {
    int status = archive_read_next_header(reader(), entry);
    if (status == ARCHIVE_OK) return true;
    if (status == ARCHIVE_EOF) {
      entry_.clear();
      // libarchive takes a missing end for an end; but so looks an archive that was cut between two
      // entries.
      int64_t tail = archive_filter_bytes(reader(), 0) - archive_read_header_position(reader());
      if (tail < 512) throw ImageError("it is truncated: the end-of-archive blocks are missing");
      return false;
    }
    std::string reason = Reason(reader());
    if (status == ARCHIVE_WARN) {
      // Names in other encodings than the header promised are kept byte by byte.
      if (reason.find("can't be converted") != reason.npos) return true;
      if (const char* name = archive_entry_pathname(*entry)) entry_ = name;
    } else if (!entry_.empty()) {
      reason = "after entry '" + entry_ + "': " + reason;
      entry_.clear();
    }
    throw ImageError(reason);
  }

  void AddEntry(archive_entry* entry) {
    Timestamp mtime{archive_entry_mtime(entry), uint32_t(archive_entry_mtime_nsec(entry))};
    if (tree_.LeavesOut(entry_) || tree_.ApplyWhiteout(entry_, mtime)) return;
    if (const char* target = archive_entry_hardlink(entry)) {
      tree_.AddLink(entry_, target, mtime);
      return;
    }
    auto inode = std::make_shared<Inode>();
    inode->mtime = mtime;
    inode->mode = archive_entry_mode(entry);
    inode->uid = Owner(archive_entry_uid(entry));
    inode->gid = Owner(archive_entry_gid(entry));
    ReadXattrs(entry, *inode);
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG:
        tree_.Add(entry_, inode);
        ReadData(entry, *inode);
        return;
      case AE_IFLNK:
        ReadTarget(entry, *inode);
        break;
      case AE_IFCHR:
      case AE_IFBLK:
        inode->device = EncodeDevice(uint32_t(archive_entry_rdevmajor(entry)),
                                     uint32_t(archive_entry_rdevminor(entry)));
        break;
      case AE_IFDIR:
      case AE_IFIFO:
      case AE_IFSOCK:
        break;
      default:
        throw ImageError("it is of an unknown type");
    }
    tree_.Add(entry_, inode);
  }

  static uint32_t Owner(int64_t id) {
    if (id < 0 || id > UINT32_MAX) throw ImageError("its owner's number is too large");
    return uint32_t(id);
  }

  static void ReadTarget(archive_entry* entry, Inode& inode) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr || *target == '\0') throw ImageError("its link target is empty");
    inode.target = target;
    if (inode.target.size() > 4095) throw ImageError("its link target is longer than 4095 bytes");
    inode.mode = S_IFLNK | 0777;
  }

  static void ReadXattrs(archive_entry* entry, Inode& inode) {
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
      if (name != nullptr) inode.xattrs[name].assign(static_cast<const char*>(value), size);
    }
  }

  void ReadData(archive_entry* entry, Inode& inode) {
    int64_t size = archive_entry_size(entry);
    if (size < 0) throw ImageError("its size is negative");
    inode.first_block = writer_.Allocate(uint64_t(size));
    inode.size = uint64_t(size);
    const void* data = nullptr;
    size_t count = 0;
    int64_t offset = 0;
    int status;
    while ((status = archive_read_data_block(reader(), &data, &count, &offset)) == ARCHIVE_OK) {
      if (offset < 0 || offset > size || count > uint64_t(size - offset)) {
        throw ImageError("it has more data than its size");
      }
      writer_.Write(inode.first_block, uint64_t(offset), data, count);
    }
    if (status != ARCHIVE_EOF) throw ImageError(Reason(reader()));
  }

  Tree& tree_;
  ErofsWriter& writer_;
  Utf8Locale locale_;
  Input input_;
  ArchivePointer reader_;
  std::string entry_;
};

}  // namespace

void AddArchive(Tree& tree, ErofsWriter& writer, const fs::path& layer,
                const ReadCallback& on_read) {
  std::string where = "layer '" + layer.string() + "'";
  std::unique_ptr<ArchiveReader> reader;
  try {
    reader = std::make_unique<ArchiveReader>(tree, writer, layer, on_read);
    reader->Run();
  } catch (const ImageError& error) {
    if (reader && !reader->entry().empty()) where += ": entry '" + reader->entry() + "'";
    throw ImageError(where + ": " + error.what());
  }
}

}  // namespace zrun::images
