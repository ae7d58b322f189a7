#pragma once
#include "base/ref_ptr.h"

namespace zrun::vfs {

class FileDescription;

// Tells who asked through an open file (fcntl(F_SETLEASE, F_NOTIFY)) of what happens to what it
// names, by a signal. The personality implements it.
class FileMessenger : public RefCounted<FileMessenger> {
 public:
  virtual ~FileMessenger() = default;
  // Called with locks held: may take what is ranked after kFileSystem, and must not keep |file|.
  virtual void Tell(FileDescription& file) = 0;
};

}  // namespace zrun::vfs
