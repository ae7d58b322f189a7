#pragma once
#include <atomic>

#include "vfs/path.h"

// Tells inotify(7) what happens to files. Cheap while nobody watches: one load.
namespace zrun::vfs {

enum class NotifyEvent : uint32_t {  // IN_* of <linux/inotify.h>
  kAccess = 0x1,
  kModify = 0x2,
  kAttrib = 0x4,
  kCloseWrite = 0x8,
  kCloseNoWrite = 0x10,
  kOpen = 0x20,
  kMovedFrom = 0x40,
  kMovedTo = 0x80,
  kCreate = 0x100,
  kDelete = 0x200,
  kDeleteSelf = 0x400,
  kMoveSelf = 0x800,
  kUnmount = 0x2000,
  kQueueOverflow = 0x4000,
  kIgnored = 0x8000,
  kRenamed = 0x10000000,  // within one directory; for F_NOTIFY alone
  kIsDirectory = 0x40000000,
};

namespace internal {
extern std::atomic<uint32_t> notify_watches;
void NotifyVnodeSlow(Vnode& vnode, NotifyEvent event, std::string_view name, uint32_t cookie);
void NotifyFileSlow(const Path& path, NotifyEvent event);
void NotifyGoneSlow(Vnode& vnode);
}  // namespace internal

// An event of |vnode| itself; with a |name|: of that entry of the directory |vnode| (kCreate,
// kDelete, kMovedFrom, kMovedTo). May be called with any lock up to kVnode held.
inline void NotifyVnode(Vnode& vnode, NotifyEvent event, std::string_view name = {},
                        uint32_t cookie = 0) {
  if (internal::notify_watches.load(std::memory_order_relaxed) != 0) [[unlikely]]
    internal::NotifyVnodeSlow(vnode, event, name, cookie);
}
// An event of an open or changed file: told to those who watch it and those who watch its
// directory (kAccess, kModify, kAttrib, kOpen, kCloseWrite, kCloseNoWrite). No lock held from
// kDentry on.
inline void NotifyFile(const Path& path, NotifyEvent event) {
  if (internal::notify_watches.load(std::memory_order_relaxed) != 0) [[unlikely]]
    internal::NotifyFileSlow(path, event);
}
// A name of |vnode| that was removed is in use no more: kDeleteSelf if that was the last one. No
// lock held from kVnode on.
inline void NotifyNameGone(Vnode& vnode) {
  if (internal::notify_watches.load(std::memory_order_relaxed) != 0) [[unlikely]]
    internal::NotifyGoneSlow(vnode);
}
// Events of |vnode| or of names in it were lost: told to those who watch it.
void NotifyOverflow(Vnode& vnode);
// Ties the kMovedFrom and kMovedTo of one rename together.
uint32_t NextNotifyCookie();

}  // namespace zrun::vfs
template <>
inline constexpr bool zrun::kIsFlags<zrun::vfs::NotifyEvent> = true;
