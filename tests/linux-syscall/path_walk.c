// Path resolution: repeated slashes, dots, dots at the root, files in the middle, trailing slashes.
#include "check.h"

static ino_t Inode(const char* path) {
  struct stat st;
  CHECK_OK(stat(path, &st));
  return st.st_ino;
}

int main(void) {
  const char* home = TempDir();
  struct stat st;
  CHECK_OK(mkdir("d", 0755));
  CHECK_OK(mkdir("d/e", 0755));
  WriteFile("d/f", "x");
  ino_t f = Inode("d/f"), d = Inode("d");
  CHECK_EQ(Inode("d//f"), f);
  CHECK_EQ(Inode(".//d///f"), f);
  CHECK_EQ(Inode("d/./f"), f);
  CHECK_EQ(Inode("d/e/../f"), f);
  CHECK_EQ(Inode("d/e/../../d/f"), f);
  CHECK_EQ(Inode("d/"), d);
  CHECK_EQ(Inode("d/."), d);
  CHECK_EQ(Inode("d/e/.."), d);
  CHECK_EQ(Inode("d/e/..//"), d);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "//%s///d/f", home);
  CHECK_EQ(Inode(path), f);
  snprintf(path, sizeof path, "/../../../..%s/d/f", home);
  CHECK_EQ(Inode(path), f);
  CHECK_EQ(Inode("/.."), Inode("/"));
  CHECK_EQ(Inode("/."), Inode("/"));
  CHECK_EQ(Inode("//"), Inode("/"));

  CHECK_ERR(stat("d/f/", &st), ENOTDIR);
  CHECK_ERR(stat("d/f/.", &st), ENOTDIR);
  CHECK_ERR(stat("d/f/..", &st), ENOTDIR);
  CHECK_ERR(stat("d/missing/..", &st), ENOENT);  // no textual shortening
  CHECK_ERR(stat("d/missing/", &st), ENOENT);
  CHECK_ERR(stat("missing/f", &st), ENOENT);
  CHECK_ERR(lstat("d/f/", &st), ENOTDIR);

  // .. after a symlink is the target's parent.
  CHECK_OK(mkdir("other", 0755));
  CHECK_OK(symlink("../d/e", "other/l"));
  CHECK_EQ(Inode("other/l/.."), d);
  CHECK_EQ(Inode("other/l/../f"), f);
  CHECK_OK(symlink("d//", "slashed"));
  CHECK_EQ(Inode("slashed/f"), f);
  CHECK_OK(symlink("d/f/", "filewithslash"));
  CHECK_ERR(stat("filewithslash", &st), ENOTDIR);
  snprintf(path, sizeof path, "%s/d", home);
  CHECK_OK(symlink(path, "absolute"));
  CHECK_EQ(Inode("absolute/f"), f);

  // Names are bytes.
  static const char* const kNames[] = {" ", "a\nb", "\xff\xfe", "...", "-", "\\", "*", "ä€"};
  for (size_t i = 0; i < sizeof kNames / sizeof kNames[0]; i++) {
    WriteFile(kNames[i], "x");
    CHECK_OK(stat(kNames[i], &st));
    CHECK_OK(unlink(kNames[i]));
  }
  CHECK_ERR(open("D/f", O_RDONLY), ENOENT);
  return 0;
}
