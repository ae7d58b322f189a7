// mremap(2): growing in place and by moving, shrinking, fixed targets, files, errors.
#include "check.h"

static char* Fresh(size_t size) {
  return CHECK_MAP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static bool Mapped(void* page) {
  unsigned char in;
  return mincore(page, PageSize(), &in) == 0;
}

int main(void) {
  TempDir();
  size_t page = PageSize();
  char* area = Fresh(20 * page);
  CHECK_OK(munmap(area + 2 * page, 18 * page));
  memcpy(area, "data", 4);
  area[2 * page - 1] = 'e';
  CHECK_EQ(mremap(area, 2 * page, 5 * page, 0), area);  // there is room behind
  CHECK_EQ(area[2 * page - 1], 'e');
  CHECK_EQ(area[5 * page - 1], 0);
  CHECK_EQ(mremap(area, 5 * page, 3 * page, 0), area);
  CHECK(!Mapped(area + 3 * page));
  CHECK_EQ(mremap(area, 3 * page, 3 * page, 0), area);

  // No room: only by moving.
  char* wall =
      mmap(area + 3 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK_EQ(wall, area + 3 * page);
  CHECK_ERR(mremap(area, 3 * page, 6 * page, 0), ENOMEM);
  char* moved = CHECK_MAP(mremap(area, 3 * page, 6 * page, MREMAP_MAYMOVE));
  CHECK(moved != area);
  CHECK_MEM(moved, "data", 4);
  CHECK_EQ(moved[2 * page - 1], 'e');
  moved[6 * page - 1] = 'n';
  CHECK(!Mapped(area));
  CHECK(Mapped(wall));

  // To a given place, over what lies there.
  char* target = Fresh(8 * page);
  memset(target, 't', 8 * page);
  CHECK_EQ(mremap(moved, 6 * page, 6 * page, MREMAP_MAYMOVE | MREMAP_FIXED, target + page),
           target + page);
  CHECK_EQ(target[0], 't');
  CHECK_MEM(target + page, "data", 4);
  CHECK_EQ(target[7 * page], 't');
  CHECK(!Mapped(moved));
  CHECK_ERR(mremap(target, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, target + page),
            EINVAL);
  CHECK_ERR(mremap(target, page, page, MREMAP_FIXED, target + 20 * page), EINVAL);
  CHECK_ERR(mremap(target, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, target + 1), EINVAL);

  // Out of the middle of a mapping.
  char* middle = CHECK_MAP(mremap(target + 2 * page, page, 2 * page, MREMAP_MAYMOVE));
  CHECK_EQ(middle[page - 1], 'e');
  CHECK(!Mapped(target + 2 * page));
  CHECK(Mapped(target + page) && Mapped(target + 3 * page));

  // A shared file: the longer mapping shows more of the file.
  int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK_OK(ftruncate(fd, (off_t)(4 * page)));
  CHECK_EQ(pwrite(fd, "3", 1, (off_t)(3 * page)), 1);
  char* map = CHECK_MAP(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  map = CHECK_MAP(mremap(map, page, 4 * page, MREMAP_MAYMOVE));
  CHECK_EQ(map[3 * page], '3');
  map[0] = '0';
  char c;
  CHECK_EQ(pread(fd, &c, 1, 0), 1);
  CHECK_EQ(c, '0');
  // Old size zero of something shared: a second view.
  char* twin = CHECK_MAP(mremap(map, 0, 4 * page, MREMAP_MAYMOVE));
  CHECK(twin != map);
  twin[1] = 'T';
  CHECK_EQ(map[1], 'T');

  CHECK_ERR(mremap(map + 1, page, page, 0), EINVAL);
  CHECK_ERR(mremap(map, page, 0, 0), EINVAL);
  CHECK_ERR(mremap(map, page, page, 0x80), EINVAL);
  CHECK_OK(munmap(target, 8 * page));
  CHECK_ERR(mremap(target, page, 2 * page, MREMAP_MAYMOVE), EFAULT);
  char* pair = Fresh(2 * page);
  CHECK_OK(munmap(pair + page, page));
  CHECK_ERR(mremap(pair, 2 * page, 4 * page, MREMAP_MAYMOVE), EFAULT);  // more than one mapping
  CHECK_ERR(mremap(Fresh(page), 0, page, MREMAP_MAYMOVE), EINVAL);
  CHECK(mremap(pair, page, (size_t)1 << 60, MREMAP_MAYMOVE) == MAP_FAILED &&
        (errno == ENOMEM || errno == EINVAL));  // kernels differ
  return 0;
}
