#include <curl/curl.h>
#include <dlfcn.h>

#include <memory>

#include "images/error.h"
#include "images/file.h"
#include "images/progress.h"
#include "images/recipe.h"

namespace zrun::images {
namespace {

// Loaded when something is downloaded: linked, it and the forty libraries behind it would slow
// every start.
class Curl {
 public:
  Curl() : library_(dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) {
      throw ImageError("downloading needs libcurl (Debian: libcurl4): " + std::string(dlerror()));
    }
    Load(init, "curl_easy_init");
    Load(setopt, "curl_easy_setopt");
    Load(perform, "curl_easy_perform");
    Load(cleanup, "curl_easy_cleanup");
    Load(strerror, "curl_easy_strerror");
  }

  decltype(&curl_easy_init) init;
  decltype(&curl_easy_setopt) setopt;
  decltype(&curl_easy_perform) perform;
  decltype(&curl_easy_cleanup) cleanup;
  decltype(&curl_easy_strerror) strerror;

 private:
  template <typename Function>
  void Load(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
    if (function == nullptr) throw ImageError("libcurl has no " + std::string(name));
  }

  void* library_;  // stays loaded: libcurl leaves exit handlers behind
};

struct Transfer {
  NewFile file;
  ProgressBar bar;
  off_t offset = 0;
  std::string error;
};

size_t OnData(char* data, size_t size, size_t count, void* user) {
  Transfer& transfer = *static_cast<Transfer*>(user);
  try {
    WriteFully(transfer.file.fd(), data, size * count, transfer.offset,
               transfer.file.path().string());
    transfer.offset += off_t(size * count);
    return size * count;
  } catch (const ImageError& error) {
    transfer.error = error.what();
    return 0;
  }
}

int OnProgress(void* user, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
  static_cast<Transfer*>(user)->bar.Show(uint64_t(now), uint64_t(total));
  return 0;
}

}  // namespace

void Download(const std::string& url, const std::filesystem::path& to) {
  Curl curl;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl.init(), curl.cleanup);
  if (handle == nullptr) throw ImageError("cannot start libcurl");
  Transfer transfer{NewFile(to), ProgressBar("fetching " + to.filename().string()), 0, {}};
  char reason[CURL_ERROR_SIZE] = "";
  CURL* easy = handle.get();
  curl.setopt(easy, CURLOPT_URL, url.c_str());
  curl.setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl.setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl.setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl.setopt(easy, CURLOPT_FAILONERROR, 1L);
  curl.setopt(easy, CURLOPT_CONNECTTIMEOUT, 30L);
  curl.setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl.setopt(easy, CURLOPT_LOW_SPEED_TIME, 60L);
  curl.setopt(easy, CURLOPT_ERRORBUFFER, reason);
  curl.setopt(easy, CURLOPT_WRITEFUNCTION, OnData);
  curl.setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl.setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl.setopt(easy, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl.setopt(easy, CURLOPT_XFERINFODATA, &transfer);
  CURLcode status = curl.perform(easy);
  if (status != CURLE_OK) {
    std::string why = !transfer.error.empty() ? transfer.error
                      : *reason != '\0'       ? reason
                                              : curl.strerror(status);
    throw ImageError(
        "cannot download " + url + ": " + why +
        " (a file that is here already: --from FILE, or its folder in ZRUN_IMAGE_PATH)");
  }
  transfer.file.Publish();
}

}  // namespace zrun::images
