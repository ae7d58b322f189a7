"""Programs built with the sanitizers of gcc and clang: they lay out the whole address space."""
import shutil
import subprocess

from harness import Skip, test

SOURCE = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static int shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void* Work(void* argument) {
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&lock);
    shared++;
    pthread_mutex_unlock(&lock);
  }
  return argument;
}
int main(int argc, char** argv) {
  pthread_t threads[3];
  char* volatile text = malloc(10);
  strcpy(text, "fine");
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, Work, NULL);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  if (fork() == 0) _exit(shared == 300 ? 7 : 1);
  int status;
  wait(&status);
  printf("%s %d\\n", text, WEXITSTATUS(status));
  fflush(stdout);
  if (argc > 1) text[argc + 8] = argv[1][0];
  free(text);
  return 0;
}
"""
RUNTIMES = {"address": "asan", "thread": "tsan", "leak": "lsan", "undefined": "ubsan", "memory": None}


def build(z, compiler, sanitizer, *options):
    """The program's name; what this compiler cannot build is skipped."""
    if not shutil.which(compiler):
        return None
    runtime = RUNTIMES[sanitizer]
    flags = [f"-static-lib{runtime}"] if compiler == "gcc" and runtime else []
    name = "-".join([compiler, sanitizer, *(option.strip("-") for option in options)])
    built = subprocess.run([compiler, "-g", "-O1", f"-fsanitize={sanitizer}", *options, *flags, "-pthread", "sanitized.c",
                            "-o", name], cwd=z.folder, capture_output=True, text=True)
    return name if built.returncode == 0 else None


def check(z, name):
    # Looking for leaks stops the process's threads by ptrace, which zrun has not.
    calm = [word for tool in ("ASAN", "LSAN") for word in ("-e", f"{tool}_OPTIONS=detect_leaks=0")]
    native = subprocess.run([z.folder / name], capture_output=True, text=True)
    if native.returncode != 0:
        return  # the host's layout does not please it either
    result = z.run(f"./{name}", options=calm, image=z.gcc_image)
    z.equal((result.status, result.text), (0, "fine 7\n"), f"{name}: {result.errors}")
    if "address" in name:
        result = z.run(f"./{name}", "x", options=calm, image=z.gcc_image)
        z.check(result.status == 1 and "heap-buffer-overflow" in result.errors, f"{name}: {result.errors}")


# Of gcc, and of clang where it is installed.
@test
def sanitizers(z):
    if not z.gcc_image:
        raise Skip("no image with libstdc++ and libm")
    z.write("sanitized.c", SOURCE)
    names = [build(z, compiler, sanitizer, *options) for compiler in ("gcc", "clang") for sanitizer in RUNTIMES
             for options in ((), ("-no-pie", "-fno-pie"))]
    names = [name for name in names if name]
    z.check(len(names) >= 8, f"built only {names}")  # four of gcc's, each in two forms
    for name in names:
        check(z, name)
