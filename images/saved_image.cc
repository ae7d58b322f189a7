#include "images/saved_image.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "images/error.h"
#include "images/sha256.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMostText = 4 << 20;  // of a manifest or configuration
constexpr int kMostNesting = 4;          // of indexes

// Names are relative to the top and lead nowhere else.
std::string Normalized(const std::string& name) {
  const std::string normal = fs::path(name).lexically_normal().relative_path().string();
  if (normal.starts_with("..")) throw ImageError("it names a file outside: " + name);
  return normal == "." ? "" : normal;
}

bool IsDigest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// Whether a saved image may hold such a file. Others end the search, soon after their beginning.
bool Fits(const std::string& name) {
  static const std::set<std::string> kKnown = {"oci-layout",   "index.json", "manifest.json",
                                               "repositories", "blobs",      "ingest"};
  const std::string first = name.substr(0, name.find('/'));
  if (kKnown.contains(first)) return true;
  return IsDigest(std::string_view(first).substr(0, first.find('.')));
}

// Where a saved image's files come from.
class Source {
 public:
  virtual ~Source() = default;
  // A small file's contents; nothing if there is no such file.
  virtual std::optional<std::string> Text(const std::string& name) = 0;
  // Where each of the files can be read.
  virtual std::map<std::string, fs::path> Paths(const std::set<std::string>& names,
                                                std::vector<UniqueFd>& files) = 0;
};

class DirectorySource : public Source {
 public:
  explicit DirectorySource(fs::path root) : root_(std::move(root)) {}

  std::optional<std::string> Text(const std::string& name) override {
    std::error_code error;
    const fs::path path = root_ / name;
    if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > kMostText) return {};
    return ReadFile(path);
  }
  std::map<std::string, fs::path> Paths(const std::set<std::string>& names,
                                        std::vector<UniqueFd>&) override {
    std::map<std::string, fs::path> paths;
    for (const std::string& name : names)
      if (fs::is_regular_file(root_ / name)) paths[name] = root_ / name;
    return paths;
  }

 private:
  fs::path root_;
};

class ArchiveSource : public Source {
 public:
  explicit ArchiveSource(fs::path path) : path_(std::move(path)) {}

  // Reads the small files; false if this is something else.
  bool Scan();
  std::optional<std::string> Text(const std::string& name) override {
    const auto found = texts_.find(Resolve(name));
    return found == texts_.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::string, fs::path> Paths(const std::set<std::string>& names,
                                        std::vector<UniqueFd>& files) override;

 private:
  // Calls |visit| for each entry until it returns false. Throws if the archive is broken.
  void ForEach(const std::function<bool(archive*, archive_entry*, const std::string&)>& visit);
  static std::string ReadText(archive* reader, archive_entry* entry);
  static UniqueFd Extract(archive* reader);
  // Older archives have a layer that occurs twice as a link to the first.
  std::string Resolve(const std::string& name) const {
    const auto link = links_.find(name);
    return link == links_.end() ? name : link->second;
  }

  fs::path path_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::string> links_;
};

void ArchiveSource::ForEach(
    const std::function<bool(archive*, archive_entry*, const std::string&)>& visit) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> owner(archive_read_new(),
                                                                     archive_read_free);
  archive* reader = owner.get();
  if (reader == nullptr) throw std::bad_alloc();
  archive_read_support_filter_gzip(reader);
  archive_read_support_filter_xz(reader);
  archive_read_support_filter_zstd(reader);
  archive_read_support_format_tar(reader);
  archive_entry* entry = nullptr;
  int status = archive_read_open_filename(reader, path_.c_str(), 256 << 10);
  while (status == ARCHIVE_OK || status == ARCHIVE_WARN) {
    status = archive_read_next_header(reader, &entry);
    if (status == ARCHIVE_EOF) return;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) break;
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || !visit(reader, entry, Normalized(name))) return;
  }
  throw ImageError(archive_error_string(reader));
}

std::string ArchiveSource::ReadText(archive* reader, archive_entry* entry) {
  std::string text(size_t(archive_entry_size(entry)), '\0');
  const la_ssize_t got = archive_read_data(reader, text.data(), text.size());
  if (got != la_ssize_t(text.size())) throw ImageError("it is truncated");
  return text;
}

bool ArchiveSource::Scan() {
  bool fits = true;
  uint64_t total = 0;
  bool has_begun = false;
  try {
    ForEach([&](archive* reader, archive_entry* entry, const std::string& name) {
      if (name.empty()) return true;
      fits = Fits(name);
      has_begun = has_begun || fits;
      const auto size = uint64_t(std::max<int64_t>(archive_entry_size(entry), 0));
      if (archive_entry_filetype(entry) == AE_IFLNK) {
        const fs::path target = fs::path(name).parent_path() / archive_entry_symlink(entry);
        links_[name] = Normalized(target);
      } else if (archive_entry_filetype(entry) == AE_IFREG && size <= kMostText &&
                 total + size <= 16 * kMostText) {
        total += size;
        texts_[name] = ReadText(reader, entry);
      }
      return fits;
    });
  } catch (const ImageError&) {
    if (has_begun) throw;
    return false;  // it is no archive, or no good one: whoever packs it says so
  }
  return fits && has_begun;
}

// A file without a name, which vanishes with its last user.
UniqueFd ArchiveSource::Extract(archive* reader) {
  UniqueFd fd(
      open(fs::temp_directory_path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.is_valid()) throw SystemError("cannot make a temporary file");
  if (archive_read_data_into_fd(reader, fd.get()) != ARCHIVE_OK)
    throw ImageError(archive_error_string(reader));
  return fd;
}

std::map<std::string, fs::path> ArchiveSource::Paths(const std::set<std::string>& names,
                                                     std::vector<UniqueFd>& files) {
  std::map<std::string, fs::path> found, paths;
  std::set<std::string> wanted;
  for (const std::string& name : names) wanted.insert(Resolve(name));
  ForEach([&](archive* reader, archive_entry* entry, const std::string& name) {
    if (archive_entry_filetype(entry) != AE_IFREG || !wanted.contains(name)) return true;
    files.push_back(Extract(reader));
    found[name] = "/proc/self/fd/" + std::to_string(files.back().get());
    return true;
  });
  for (const std::string& name : names) {
    const auto at = found.find(Resolve(name));
    if (at != found.end()) paths[name] = at->second;
  }
  return paths;
}

// What the manifests name.
struct Manifest {
  std::string config;               // a file
  std::vector<std::string> layers;  // files
};

std::string BlobOf(const json& descriptor) {
  const std::string digest = descriptor.at("digest");
  const size_t colon = digest.find(':');
  if (colon == digest.npos) throw ImageError("'" + digest + "' is no digest");
  return Normalized("blobs/" + digest.substr(0, colon) + "/" + digest.substr(colon + 1));
}

std::string NeedText(Source& source, const std::string& name) {
  const std::optional<std::string> text = source.Text(name);
  if (!text) throw ImageError("there is no '" + name + "' in it");
  constexpr std::string_view kBlobs = "blobs/sha256/";
  if (name.starts_with(kBlobs)) {
    Sha256 hash;
    hash.Update(*text);
    if (hash.FinishHex() != name.substr(kBlobs.size()))
      throw ImageError("'" + name + "' is broken: its SHA-256 is another");
  }
  return *text;
}

// docker save
Manifest ParseManifestList(const json& list) {
  if (list.size() != 1) {
    std::string names;
    for (const json& image : list) names += ' ' + image.value("RepoTags", json::array()).dump();
    throw ImageError("it holds " + std::to_string(list.size()) + " images; save one:" + names);
  }
  Manifest manifest;
  manifest.config = Normalized(list[0].at("Config"));
  for (const json& layer : list[0].at("Layers"))
    manifest.layers.push_back(Normalized(layer.get<std::string>()));
  return manifest;
}

// The only one, or else the only one for x86-64.
const json& ChooseManifest(const json& index) {
  const json& manifests = index.at("manifests");
  std::vector<const json*> mine;
  for (const json& manifest : manifests) {
    const json platform = manifest.value("platform", json::object());
    if (manifests.size() == 1 || platform.value("architecture", "") == "amd64")
      mine.push_back(&manifest);
  }
  if (mine.size() != 1)
    throw ImageError("it holds " + std::to_string(manifests.size()) + " images, " +
                     std::to_string(mine.size()) + " of them for amd64; save one");
  return *mine.front();
}

// OCI
Manifest ParseIndex(Source& source, json index) {
  for (int nesting = 0; index.contains("manifests"); ++nesting) {
    if (nesting == kMostNesting) throw ImageError("its indexes are nested too deep");
    index = json::parse(NeedText(source, BlobOf(ChooseManifest(index))));
  }
  Manifest manifest;
  manifest.config = BlobOf(index.at("config"));
  for (const json& layer : index.at("layers")) manifest.layers.push_back(BlobOf(layer));
  return manifest;
}

std::optional<Manifest> FindManifest(Source& source) {
  if (const auto text = source.Text("manifest.json")) {
    const json list = json::parse(*text, nullptr, false);
    const bool is_docker = list.is_array() && !list.empty() && list[0].is_object() &&
                           list[0].contains("Config") && list[0].contains("Layers");
    if (is_docker) return ParseManifestList(list);
  }
  const auto index = source.Text("index.json");
  if (!index || !source.Text("oci-layout")) return std::nullopt;
  return ParseIndex(source, json::parse(*index));
}

// What of a configuration concerns zrun.
std::string Extract(const std::string& text) {
  const json config = json::parse(text).value("config", json::object());
  json kept = json::object();
  for (const char* key : {"Env", "Entrypoint", "Cmd", "WorkingDir", "User"})
    if (config.contains(key) && !config[key].empty()) kept[key] = config[key];
  return kept.dump();
}

void CheckBlob(const std::string& name, const fs::path& path) {
  constexpr std::string_view kBlobs = "blobs/sha256/";
  if (!name.starts_with(kBlobs)) return;
  const UniqueFd fd = OpenFile(path, O_RDONLY);
  if (Sha256OfFile(fd.get(), name) != name.substr(kBlobs.size()))
    throw ImageError("layer '" + name + "' is broken: its SHA-256 is another");
}

std::optional<SavedImage> Open(Source& source) {
  const std::optional<Manifest> manifest = FindManifest(source);
  if (!manifest) return std::nullopt;
  SavedImage image;
  image.config = Extract(NeedText(source, manifest->config));
  const std::set<std::string> names(manifest->layers.begin(), manifest->layers.end());
  const std::map<std::string, fs::path> paths = source.Paths(names, image.files);
  for (const auto& [name, path] : paths) CheckBlob(name, path);
  for (const std::string& layer : manifest->layers) {
    const auto path = paths.find(layer);
    if (path == paths.end()) throw ImageError("its layer '" + layer + "' is not in it");
    image.layers.push_back({path->second, layer});
  }
  return image;
}

std::vector<std::string> Strings(const json& object, const char* key) {
  const json list = object.value(key, json());
  return list.is_array() ? list.get<std::vector<std::string>>() : std::vector<std::string>{};
}

}  // namespace

std::optional<SavedImage> OpenSavedImage(const fs::path& path) {
  try {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      DirectorySource source(path);
      return Open(source);
    }
    ArchiveSource source(path);
    if (!source.Scan()) return std::nullopt;
    return Open(source);
  } catch (const json::exception& error) {
    throw ImageError("saved image '" + path.string() + "': " + error.what());
  } catch (const ImageError& error) {
    throw ImageError("saved image '" + path.string() + "': " + error.what());
  }
}

ImageConfig ParseConfig(const std::string& text) {
  ImageConfig config;
  try {
    const json object = json::parse(text);
    config.environment = Strings(object, "Env");
    config.entrypoint = Strings(object, "Entrypoint");
    config.command = Strings(object, "Cmd");
    config.working_directory = object.value("WorkingDir", "");
    config.user = object.value("User", "");
  } catch (const json::exception& error) {
    throw ImageError(std::string("the image's configuration is broken: ") + error.what());
  }
  return config;
}

}  // namespace zrun::images
