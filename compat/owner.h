#pragma once
#include "vfs/anonymous.h"

namespace zrun::compat {

// Who a file that |credentials| make belongs to.
inline vfs::FileOwner OwnerOf(const vfs::Credentials& credentials) {
  return {credentials.fsuid, credentials.fsgid};
}

}  // namespace zrun::compat
