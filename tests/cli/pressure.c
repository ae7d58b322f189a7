// Processes that check their own memory while there is too little of it: pressure SECONDS MEGABYTES
// FILE... Each of four keeps a part of the megabytes full of what only it knows, forks children
// that share and change it, and reads the files through mappings whose pages come and go. Others
// cut files that they have mapped. Ends with status 1, and says why, if anything is not as it was
// written, or somebody dies of another signal than SIGKILL.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kPage = 4096, kWorkers = 4, kMostFiles = 16 };
static time_t end;

static int IsOver(void) { return time(NULL) >= end; }

static void Fail(const char* what, size_t page) {
  fprintf(stderr, "pressure: process %d: %s, page %zu\n", getpid(), what, page);
  _exit(1);
}

static uint64_t Mark(uint64_t key, size_t page) { return (key << 32 | page) * 0x9e3779b97f4a7c15; }

static void Fill(char* memory, size_t pages, uint64_t key) {
  for (size_t i = 0; i < pages; i++) {
    uint64_t* words = (uint64_t*)(memory + i * kPage);
    for (size_t word = 0; word < kPage / 8; word += 64) words[word] = Mark(key, i) + word;
  }
}

static void Verify(const char* memory, size_t pages, uint64_t key, const char* what) {
  for (size_t i = 0; i < pages; i++) {
    const uint64_t* words = (const uint64_t*)(memory + i * kPage);
    for (size_t word = 0; word < kPage / 8; word += 64)
      if (words[word] != Mark(key, i) + word) Fail(what, i);
  }
}

static uint64_t Sum(const char* path) {
  struct stat status;
  const int fd = open(path, O_RDONLY);
  if (fd == -1 || fstat(fd, &status) == -1) Fail(path, 0);
  const size_t size = (size_t)status.st_size / 8 * 8;
  char* text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (text == MAP_FAILED) return 0;
  uint64_t sum = 1;
  for (size_t at = 0; at < size; at += 8) sum = sum * 31 + *(uint64_t*)(text + at);
  munmap(text, size);
  return sum;
}

// 1 if it ended as it should, 0 if memory was too short for it.
static int Await(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child) Fail("no child", 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    fprintf(stderr, "pressure: process %d died of signal %d\n", child, WTERMSIG(status));
    _exit(1);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) _exit(1);
  return WIFEXITED(status);
}

static void Work(uint64_t key, size_t pages, char** files, int count) {
  uint64_t sums[kMostFiles];
  for (int i = 0; i < count; i++) sums[i] = Sum(files[i]);
  char* memory =
      mmap(NULL, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) _exit(0);
  for (uint64_t round = 1; !IsOver(); round++) {
    const uint64_t mine = key * 100000 + round;
    Fill(memory, pages, mine);
    const pid_t child = fork();
    if (child == 0) {
      Verify(memory, pages, mine, "a child's copy");
      Fill(memory, pages / 4, mine + 50000);
      Verify(memory, pages / 4, mine + 50000, "what a child wrote");
      _exit(0);
    }
    for (int i = 0; i < count; i++) {
      const uint64_t sum = Sum(files[i]);
      if (sum != sums[i] && sum != 0 && sums[i] != 0) Fail(files[i], 0);
    }
    Verify(memory, pages, mine, "what was written");
    if (child > 0) Await(child);
    Verify(memory, pages, mine, "what was written and shared");
  }
  _exit(0);
}

// ---- Files that are cut while they are mapped.
static __thread sigjmp_buf back;
static void OnBusError(int signal) { siglongjmp(back, signal); }
static int cut_fd;
enum { kCutPages = 64 };

static void* CutAndGrow(void* unused) {
  for (unsigned i = 0; !IsOver(); i++) {
    if (ftruncate(cut_fd, (off_t)(i % kCutPages) * kPage) == -1) Fail("ftruncate", i);
    if (ftruncate(cut_fd, kCutPages * kPage) == -1) Fail("ftruncate", i);
  }
  return unused;
}

static void* MapAndRead(void* unused) {
  while (!IsOver()) {
    char* map = mmap(NULL, kCutPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, cut_fd, 0);
    if (map == MAP_FAILED) continue;
    for (volatile size_t page = 0; page < kCutPages; page++) {
      if (sigsetjmp(back, 1) != 0) continue;
      volatile uint64_t* word = (volatile uint64_t*)(map + page * kPage);
      const uint64_t value = *word;
      if (value != 0 && value != Mark(7, page)) Fail("a page of a file that is cut", page);
      *word = Mark(7, page);
    }
    munmap(map, kCutPages * kPage);
  }
  return unused;
}

static void Cut(void) {
  signal(SIGBUS, OnBusError);
  cut_fd = memfd_create("cut", 0);
  if (cut_fd == -1) _exit(0);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    if (pthread_create(&threads[i], NULL, i % 2 ? MapAndRead : CutAndGrow, NULL) != 0) _exit(0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  _exit(0);
}

int main(int count, char** words) {
  if (count < 3) return 2;
  end = time(NULL) + atoi(words[1]);
  const size_t pages = (size_t)atoi(words[2]) * ((1 << 20) / kPage) / kWorkers;
  int files = count - 3 < kMostFiles ? count - 3 : kMostFiles;
  pid_t workers[kWorkers];
  unsigned killed = 0;
  while (!IsOver()) {
    const pid_t cutter = fork();
    if (cutter == 0) Cut();
    for (int i = 0; i < kWorkers; i++) {
      workers[i] = fork();
      if (workers[i] == 0) Work((uint64_t)i + 1, pages, words + 3, files);
    }
    for (int i = 0; i < kWorkers; i++) killed += workers[i] > 0 && !Await(workers[i]);
    if (cutter > 0) killed += !Await(cutter);
  }
  printf("fine, %u killed\n", killed);
  return 0;
}
