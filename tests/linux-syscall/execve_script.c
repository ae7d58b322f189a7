// execve(2) of "#!" files: the interpreter gets its one argument, the path, and the caller's
// arguments after the first.
#include <sys/auxv.h>

#include "proc.h"

static char self[PATH_MAX];

static void Script(const char* name, const char* format, ...) {
  char text[3 * PATH_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  WriteFile(name, text);
  CHECK_OK(chmod(name, 0755));
}

// Runs the path with arguments given0, one, two; the interpreter is this program, which checks what
// it got.
#define EXPECT(path, ...)                                           \
  do {                                                              \
    char* wanted[] = {__VA_ARGS__, NULL};                           \
    char* args[] = {"given0", "one", "two", NULL};                  \
    char env[1024] = "WANTED=";                                     \
    for (int i_ = 0; wanted[i_]; i_++) {                            \
      strcat(env, wanted[i_]);                                      \
      strcat(env, "|");                                             \
    }                                                               \
    IN_CHILD(CHECK_OK(execve((path), args, (char*[]){env, NULL}))); \
  } while (0)

static long Exec(const char* path) { return syscall(SYS_execve, path, (char*[]){"x", NULL}, NULL); }

int main(int argc, char** argv) {
  const char* expected = getenv("WANTED");
  if (expected) {
    char got[1024] = "";
    for (int i = 1; i < argc; i++) {
      strcat(got, argv[i]);
      strcat(got, "|");
    }
    CHECK_STR(got, expected);
    CHECK_STR(argv[0], self[0] ? self : argv[0]);
    // The name of the process comes from the script.
    char comm[32];
    ReadText("/proc/self/comm", comm, sizeof comm);
    CHECK(strcmp(comm, "execve_script\n") != 0);
    return 0;
  }
  CHECK_OK(readlink("/proc/self/exe", self, sizeof self - 1));
  TempDir();
  // The program's own path may be too long for a first line.
  CHECK_OK(symlink(self, "interp"));
  char here[PATH_MAX];
  CHECK(getcwd(here, sizeof here) != NULL);

  Script("plain", "#!%s/interp\nrest\n", here);
  EXPECT("./plain", "./plain", "one", "two");
  Script("argument", "#! %s/interp   first second\t \n", here);
  EXPECT("./argument", "first second", "./argument", "one", "two");
  Script("relative", "#!interp\n");
  EXPECT("relative", "relative", "one", "two");
  Script("no_newline", "#!%s/interp", here);
  EXPECT("./no_newline", "./no_newline", "one", "two");
  Script("tabs", "#!\t%s/interp\targ\n", here);
  EXPECT("./tabs", "arg", "./tabs", "one", "two");

  // Scripts as interpreters, up to five deep.
  Script("nested1", "#!./argument a1\n");
  EXPECT("./nested1", "first second", "./argument", "a1", "./nested1", "one", "two");
  Script("nested2", "#!./nested1\n");
  Script("nested3", "#!./nested2\n");
  EXPECT("./nested3", "first second", "./argument", "a1", "./nested1", "./nested2", "./nested3",
         "one", "two");
  Script("nested4", "#!./nested3\n");
  EXPECT("./nested4", "first second", "./argument", "a1", "./nested1", "./nested2", "./nested3",
         "./nested4", "one", "two");
  Script("nested5", "#!./nested4\n");
  CHECK_ERR(Exec("./nested5"), ELOOP);
  Script("endless", "#!./endless\n");
  CHECK_ERR(Exec("./endless"), ELOOP);

  Script("missing", "#!/does/not/exist\n");
  CHECK_ERR(Exec("./missing"), ENOENT);
  Script("empty", "#!\n");
  CHECK_ERR(Exec("./empty"), ENOEXEC);
  Script("blank", "#!   \n");
  CHECK_ERR(Exec("./blank"), ENOEXEC);
  Script("directory", "#!%s\n", here);
  CHECK_ERR(Exec("./directory"), EACCES);
  WriteFile("plain2", "#!interp\n");
  CHECK_ERR(Exec("./plain2"), EACCES);

  // An interpreter's path that the first 256 bytes cannot hold is refused, a long argument is cut.
  char longer[400];
  memset(longer, 'p', sizeof longer);
  longer[0] = '/';
  longer[300] = 0;
  Script("long_path", "#!%s\n", longer);
  CHECK_ERR(Exec("./long_path"), ENOEXEC);
  Script("long_argument", "#!interp %s\n", longer);
  char cut[300];
  snprintf(cut, sizeof cut, "%.*s", 256 - 9 - 1, longer);
  EXPECT("./long_argument", cut, "./long_argument", "one", "two");
  return 0;
}
