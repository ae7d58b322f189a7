#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace zrun::images {

// What a person is told when an image cannot be packed, found or built.
class ImageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline ImageError SystemError(const std::string& what, int error = errno) {
  return ImageError(what + ": " + std::generic_category().message(error));
}

}  // namespace zrun::images
