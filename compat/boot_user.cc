#include "compat/boot.h"
#include "loader/image.h"
#include "vfs/namei.h"

// Users and groups of the image: passwd(5), group(5).
namespace zrun::compat {

namespace {

constexpr uint64_t kAllCapabilities = (uint64_t{1} << 41) - 1;

// Line by line, field by field; the text stays where it is.
class Fields {
 public:
  explicit Fields(std::string_view line) : rest_(line) {}
  std::string_view Next() {
    const size_t colon = std::min(rest_.find(':'), rest_.size());
    const std::string_view field = rest_.substr(0, colon);
    rest_.remove_prefix(std::min(colon + 1, rest_.size()));
    return field;
  }

 private:
  std::string_view rest_;
};

std::string_view NextLine(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::optional<uint32_t> Number(std::string_view text) {
  const ParsedNumber number = ParseUnsigned(text);
  if (text.empty() || number.length != text.size() || number.value > UINT32_MAX)
    return std::nullopt;
  return uint32_t(number.value);
}

struct PasswdEntry {
  std::string_view name, home;
  uint32_t uid, gid;
};

std::optional<PasswdEntry> FindUser(std::string_view passwd, std::string_view name,
                                    std::optional<uint32_t> uid) {
  while (!passwd.empty()) {
    Fields fields(NextLine(passwd));
    PasswdEntry entry{};
    entry.name = fields.Next();
    fields.Next();
    const auto entry_uid = Number(fields.Next());
    const auto entry_gid = Number(fields.Next());
    fields.Next();
    entry.home = fields.Next();
    if (!entry_uid || !entry_gid) continue;
    if (uid ? *entry_uid != *uid : entry.name != name) continue;
    entry.uid = *entry_uid;
    entry.gid = *entry_gid;
    return entry;
  }
  return std::nullopt;
}

std::optional<uint32_t> FindGroup(std::string_view groups, std::string_view name) {
  while (!groups.empty()) {
    Fields fields(NextLine(groups));
    const std::string_view group = fields.Next();
    fields.Next();
    if (group == name) return Number(fields.Next());
  }
  return std::nullopt;
}

bool IsMember(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    const size_t comma = std::min(members.find(','), members.size());
    if (members.substr(0, comma) == name) return true;
    members.remove_prefix(std::min(comma + 1, members.size()));
  }
  return false;
}

Result<void> AddSupplementary(std::string_view groups, std::string_view name,
                              vfs::Credentials& credentials) {
  while (!groups.empty()) {
    Fields fields(NextLine(groups));
    fields.Next();
    fields.Next();
    const auto gid = Number(fields.Next());
    if (gid && IsMember(fields.Next(), name)) TRY(credentials.groups.PushBack(*gid));
  }
  return {};
}

}  // namespace

RefPtr<vfs::Credentials> RootCredentials() {
  auto made = MakeRef<vfs::Credentials>();
  CHECK(made.ok());
  RefPtr<vfs::Credentials> root = std::move(made).value();
  root->cap_bounding = root->cap_permitted = root->cap_effective = kAllCapabilities;
  return root;
}

Result<String> ReadWholeFile(const vfs::WalkContext& context, std::string_view path) {
  auto file = TRY(vfs::Open(context, path, {vfs::OpenFlags::kReadOnly}));
  constexpr size_t kPiece = 4096, kMost = 1 << 20;
  String text;
  for (;;) {
    const size_t size = text.size();
    if (size >= kMost) return Errno::kEFBIG;
    TRY(text.Resize(size + kPiece));
    const size_t got = TRY(loader::ReadFile(
        *file, size, std::as_writable_bytes(std::span(text.data() + size, kPiece))));
    TRY(text.Resize(size + got));
    if (got < kPiece) return text;
  }
}

Result<BootUser> ResolveUser(const vfs::WalkContext& context, std::string_view user) {
  auto read = [&](std::string_view path) -> String {
    auto text = ReadWholeFile(context, path);
    if (!text.ok()) return {};
    return std::move(text).value();
  };
  const String passwd = read("/etc/passwd");
  const String groups = read("/etc/group");
  const size_t colon = user.find(':');
  const std::string_view name = user.substr(0, colon);
  const std::string_view group =
      colon == std::string_view::npos ? std::string_view() : user.substr(colon + 1);

  const std::optional<uint32_t> uid = name.empty() ? std::optional<uint32_t>(0) : Number(name);
  const auto entry = FindUser(passwd, name, uid);
  if (!entry && !uid) return Errno::kENOENT;
  BootUser result;
  result.credentials = RootCredentials();
  vfs::Credentials& credentials = *result.credentials;
  const uint32_t its_uid = entry ? entry->uid : *uid;
  uint32_t gid = entry ? entry->gid : 0;
  if (!group.empty()) {
    const auto number = Number(group);
    const auto found = number ? number : FindGroup(groups, group);
    if (!found) return Errno::kENOENT;
    gid = *found;
  } else if (entry) {
    TRY(AddSupplementary(groups, entry->name, credentials));
  }
  credentials.uid = credentials.euid = credentials.suid = credentials.fsuid = its_uid;
  credentials.gid = credentials.egid = credentials.sgid = credentials.fsgid = gid;
  if (its_uid != 0) credentials.cap_permitted = credentials.cap_effective = 0;
  result.home = TRY(String::Create(entry && !entry->home.empty() ? entry->home : "/"));
  return result;
}

}  // namespace zrun::compat
