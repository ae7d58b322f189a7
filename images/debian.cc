#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <sstream>

#include "images/error.h"
#include "images/file.h"
#include "images/progress.h"
#include "images/recipe.h"

namespace zrun::images {
namespace {

namespace fs = std::filesystem;

// apt with a state of its own, in which nothing is installed; sources and keys are the machine's.
// Without |architecture|, that is the machine's too. See apt.conf(5).
std::string AptConfiguration(const fs::path& folder, const std::string& architecture) {
  std::ostringstream text;
  auto set = [&](const char* key, const std::string& value) {
    text << key << " \"" << value << "\";\n";
  };
  // What the machine has apt do after an update is about its own state.
  text << "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n"
       << "#clear APT::Update::Post-Invoke-Success;\n";
  if (!architecture.empty()) {
    set("APT::Architecture", architecture);
    text << "#clear APT::Architectures;\n";
    set("APT::Architectures::", architecture);
  }
  set("APT::Install-Recommends", "false");
  set("APT::Install-Suggests", "false");
  set("APT::Get::AllowUnauthenticated", "false");
  set("APT::Sandbox::User", "");
  set("Acquire::Languages", "none");
  set("Acquire::Retries", "3");
  set("Dir::State", (folder / "state").string());
  set("Dir::State::status", (folder / "status").string());
  set("Dir::Cache", folder.string());
  set("Dir::Cache::archives", (folder / "archives").string());
  set("Dir::Log", folder.string());
  return text.str();
}

// Status lines look like "dlstatus:3:42.1:Retrieving file 3 of 90"; see apt's
// README.progress-reporting.
void ShowStatus(ProgressBar& bar, const std::string& line) {
  if (!line.starts_with("dlstatus:")) return;
  size_t percent = line.find(':', strlen("dlstatus:"));
  if (percent == line.npos) return;
  bar.Show(uint64_t(10 * strtod(line.c_str() + percent + 1, nullptr)), 1000);
}

std::string Complaints(const fs::path& log) {
  std::istringstream lines(ReadFile(log));
  std::string line;
  std::string found;
  while (std::getline(lines, line)) {
    if (line.starts_with("E: ") || line.starts_with("W: Failed")) found += "\n  " + line;
  }
  return found;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> AptEnvironment() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (strncmp(*variable, "LC_ALL=", 7) != 0) environment.emplace_back(*variable);
  }
  environment.emplace_back("LC_ALL=C");
  return environment;
}

// As in system(3): an interrupt from the terminal ends apt, whose failure then ends us, with
// everything cleaned up.
class IgnoredInterrupts {
 public:
  IgnoredInterrupts() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGINT, &ignore, &interrupt_);
    sigaction(SIGQUIT, &ignore, &quit_);
  }
  IgnoredInterrupts(const IgnoredInterrupts&) = delete;
  IgnoredInterrupts& operator=(const IgnoredInterrupts&) = delete;
  ~IgnoredInterrupts() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGQUIT, &quit_, nullptr);
  }

 private:
  struct sigaction interrupt_ {};
  struct sigaction quit_ {};
};

// Its output goes to |log|, descriptor 3 is |status_pipe|.
pid_t Spawn(std::vector<std::string> arguments, const fs::path& log, int status_pipe) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_adddup2(&actions, status_pipe, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGQUIT);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> environment = AptEnvironment();
  pid_t child = -1;
  int error = posix_spawnp(&child, arguments[0].c_str(), &actions, &attributes,
                           Pointers(arguments).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw SystemError(
        "cannot run " + arguments[0] + " (Debian packages are fetched with Debian's own tools)",
        error);
  }
  return child;
}

void RunApt(const fs::path& folder, const std::string& title, std::vector<std::string> command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw SystemError("cannot make a pipe");
  UniqueFd reader(ends[0]);
  fs::path log = folder / "log";
  IgnoredInterrupts ignored;
  pid_t child;
  {
    // Not on descriptor 3 itself, where a duplicate onto itself would keep O_CLOEXEC.
    UniqueFd writer(ends[1]);
    UniqueFd high(fcntl(writer.get(), F_DUPFD_CLOEXEC, 10));
    std::vector<std::string> arguments{
        "apt-get", "-q", "-c", (folder / "apt.conf").string(), "-o", "APT::Status-Fd=3"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    child = Spawn(std::move(arguments), log, high.get());
  }
  ProgressBar bar(title);
  std::string pending;
  char buffer[4096];
  for (;;) {
    ssize_t count = read(reader.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    pending.append(buffer, size_t(count));
    for (size_t end; (end = pending.find('\n')) != pending.npos; pending.erase(0, end + 1)) {
      ShowStatus(bar, pending.substr(0, end));
    }
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw SystemError("cannot wait for apt-get");
  }
  if (WIFSIGNALED(status)) {
    throw ImageError("apt-get was ended by signal " + std::to_string(WTERMSIG(status)));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw ImageError("apt-get " + command[0] + " failed:" + Complaints(log));
  }
}

void PrepareApt(const fs::path& folder, const std::string& configuration) {
  fs::create_directories(folder / "state/lists/partial");
  fs::create_directories(folder / "archives/partial");
  WriteFileAtomically(folder / "status", "");
  WriteFileAtomically(folder / "apt.conf", configuration);
}

struct Repository {
  std::string uri;
  std::string keys;  // its Signed-By field as in sources.list(5), with the line's end; may be empty
};

// The Signed-By of the repository in a file of apt's sources, in either of their two formats.
std::string KeysOf(const fs::path& sources, const std::string& uri) {
  std::istringstream lines(ReadFile(sources));
  std::string line, keys;
  bool is_found = false, in_keys = false;
  while (std::getline(lines, line)) {
    if (sources.extension() == ".list") {
      size_t start = line.find("signed-by=");
      if (line.starts_with('#') || line.find(uri) == line.npos || start == line.npos) continue;
      start += strlen("signed-by=");
      return "Signed-By: " + line.substr(start, line.find_first_of(" ]", start) - start) + '\n';
    }
    if (line.empty()) {  // the paragraph's end
      if (is_found) break;
      keys.clear();
    }
    if (line.starts_with('#')) continue;
    in_keys = line.starts_with("Signed-By:") || (in_keys && line.starts_with(' '));
    if (in_keys) keys += line + '\n';
    is_found = is_found || (line.starts_with("URIs:") && line.find(uri) != line.npos);
  }
  return is_found ? keys : "";
}

// Where the machine gets Debian's own packages from: which of its sources that are, the
// repositories tell themselves.
Repository FindDebian(const fs::path& folder) {
  PrepareApt(folder, AptConfiguration(folder, ""));
  RunApt(folder, "reading the machine's package lists", {"update"});
  const std::string complaints = Complaints(folder / "log");
  WriteFileAtomically(folder / "log", "");
  RunApt(folder, "looking for Debian",
         {"indextargets", "--format", "$(SOURCESENTRY) $(REPO_URI)", "Created-By: Packages",
          "Origin: Debian", "Label: Debian", "Component: main"});
  std::istringstream found(ReadFile(folder / "log"));
  std::string entry, uri;
  if (!(found >> entry >> uri)) {
    throw ImageError(
        "none of this machine's package sources (sources.list(5)) is Debian's and can be read" +
        complaints);
  }
  entry.erase(std::min(entry.rfind(':'), entry.size()));  // the entry's number in its file
  if (uri.ends_with('/')) uri.pop_back();
  return {uri, KeysOf(entry, uri)};
}

bool HasPackageList(const fs::path& folder, const std::string& architecture) {
  for (const auto& entry : fs::directory_iterator(folder / "state/lists")) {
    const std::string name = entry.path().filename().string();
    if (name.find("_binary-" + architecture + "_Packages") != name.npos) return true;
  }
  return false;
}

// Has apt know the packages of |recipe|'s suite and of no other. Mirror, keys and whatever else
// says how to get there are the machine's.
void ReadOtherSuite(const Recipe& recipe, const fs::path& folder) {
  const Repository debian = FindDebian(folder / "machine");
  const fs::path sources = folder / "recipe.sources";
  WriteFileAtomically(sources, "Types: deb\nURIs: " + debian.uri + "\nSuites: " + recipe.suite +
                                   "\nComponents: main\n" + debian.keys);
  // Pins and the default release are about the machine's own suite.
  PrepareApt(folder, AptConfiguration(folder, recipe.architecture) + "Dir::Etc::sourcelist \"" +
                         sources.string() +
                         "\";\n"
                         "Dir::Etc::sourceparts \"/dev/null\";\n"
                         "Dir::Etc::preferences \"/dev/null\";\n"
                         "Dir::Etc::preferencesparts \"/dev/null\";\n"
                         "APT::Default-Release \"\";\n"
                         "APT::Update::Error-Mode \"any\";\n");
  std::string complaints;
  try {
    RunApt(folder, "reading package lists", {"update"});
    // For apt that is no error.
    if (!HasPackageList(folder, recipe.architecture)) complaints = " there is none";
  } catch (const ImageError& error) {
    complaints = std::string(" ") + error.what();
  }
  if (!complaints.empty()) {
    throw ImageError("cannot read the list of Debian " + recipe.suite + "'s packages for " +
                     recipe.architecture + " at " + debian.uri + ':' + complaints);
  }
}

}  // namespace

fs::path FetchDebianPackages(const Recipe& recipe, const fs::path& folder) {
  if (recipe.suite.empty()) {
    PrepareApt(folder, AptConfiguration(folder, recipe.architecture));
    RunApt(folder, "reading package lists", {"update"});
  } else {
    ReadOtherSuite(recipe, folder);
  }
  std::vector<std::string> install{"install", "--yes", "--download-only"};
  install.insert(install.end(), recipe.packages.begin(), recipe.packages.end());
  RunApt(folder, "fetching packages", std::move(install));
  return folder / "archives";
}

}  // namespace zrun::images
