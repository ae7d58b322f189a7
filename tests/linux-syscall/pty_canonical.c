// Canonical terminal input: lines, erase, kill, word erase, end of file, literal next, echo.
#include <termios.h>

#include "pty.h"

static int master, slave;
static char text[8192];

static void Type(const char* keys) { CHECK_EQ(write(master, keys, strlen(keys)), strlen(keys)); }

static void ExpectLine(const char* wanted) {
  ssize_t n = CHECK_OK(read(slave, text, sizeof text - 1));
  text[n] = 0;
  CHECK_STR(text, wanted);
}

// Reads the echo until it ends so.
static void ExpectEcho(const char* wanted) {
  size_t have = 0, length = strlen(wanted);
  while (have < length) {
    ssize_t n = CHECK_OK(read(master, text + have, length - have));
    CHECK(n > 0);
    have += (size_t)n;
  }
  text[have] = 0;
  CHECK_STR(text, wanted);
}

int main(void) {
  OpenPty(&master, &slave);
  struct termios termios;
  CHECK_OK(tcgetattr(slave, &termios));
  CHECK(termios.c_lflag & ICANON);
  CHECK(termios.c_lflag & ECHO);
  CHECK(termios.c_lflag & ISIG);
  CHECK_EQ(termios.c_cc[VINTR], 3);
  CHECK_EQ(termios.c_cc[VERASE], 127);
  CHECK_EQ(termios.c_cc[VKILL], 21);
  CHECK_EQ(termios.c_cc[VEOF], 4);
  CHECK_EQ(cfgetospeed(&termios), B38400);

  Type("hello\n");
  ExpectLine("hello\n");
  ExpectEcho("hello\r\n");
  int ready;
  CHECK_OK(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
  Type("incomplete");
  CHECK_ERR(read(slave, text, 10), EAGAIN);  // not a line yet
  CHECK_OK(ioctl(slave, FIONREAD, &ready));
  CHECK_EQ(ready, 0);
  ExpectEcho("incomplete");
  Type("\n");
  CHECK(EVENTUALLY(ioctl(slave, FIONREAD, &ready) == 0 && ready == 11));
  CHECK_EQ(read(slave, text, 4), 4);  // a line in parts
  CHECK_MEM(text, "inco", 4);
  ExpectLine("mplete\n");
  ExpectEcho("\r\n");
  CHECK_OK(fcntl(slave, F_SETFL, O_RDWR));

  // Two lines come one by one.
  Type("a\nb\n");
  ExpectLine("a\n");
  ExpectLine("b\n");
  ExpectEcho("a\r\nb\r\n");

  Type("abX\177c\n");  // erase
  ExpectLine("abc\n");
  ExpectEcho("abX\b \bc\r\n");
  Type("one two\27three\n");  // word erase
  ExpectLine("one three\n");
  ExpectEcho("one two\b \b\b \b\b \bthree\r\n");
  Type("gone\25new\n");  // kill
  ExpectLine("new\n");
  ExpectEcho("gone\b \b\b \b\b \b\b \bnew\r\n");
  Type("\177\177x\n");  // nothing to erase
  ExpectLine("x\n");
  ExpectEcho("x\r\n");
  Type("a\26\177b\n");  // literal next
  ExpectLine("a\177b\n");
  ExpectEcho("a^\b^?b\r\n");
  Type("\1\n");  // control characters are shown
  ExpectLine("\1\n");
  ExpectEcho("^A\r\n");

  // End of file: a line without its end; alone, an empty read, once.
  Type("part\4");
  ExpectLine("part");
  Type("\4");
  CHECK_EQ(read(slave, text, 10), 0);
  Type("after\n");
  ExpectLine("after\n");
  ExpectEcho("partafter\r\n");

  // Without echo, and with the changes at the right time.
  CHECK_OK(tcgetattr(slave, &termios));
  termios.c_lflag &= ~(tcflag_t)ECHO;
  CHECK_OK(tcsetattr(slave, TCSANOW, &termios));
  Type("secret\n");
  ExpectLine("secret\n");
  CHECK_OK(fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK));
  Nap(5);
  CHECK_ERR(read(master, text, 10), EAGAIN);
  // TCSAFLUSH forgets what was typed; tcflush does, too.
  Type("forgotten\n");
  CHECK(EVENTUALLY(ioctl(slave, FIONREAD, &ready) == 0 && ready == 10));
  CHECK_OK(tcsetattr(slave, TCSAFLUSH, &termios));
  CHECK_OK(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
  CHECK_ERR(read(slave, text, 10), EAGAIN);
  Type("also\n");
  CHECK(EVENTUALLY(ioctl(slave, FIONREAD, &ready) == 0 && ready == 5));
  CHECK_OK(tcflush(slave, TCIFLUSH));
  CHECK_ERR(read(slave, text, 10), EAGAIN);
  // A line longer than the queue (4096) is cut.
  char* longer = malloc(6000);
  memset(longer, 'l', 6000);
  for (int i = 0; i < 60; i++) {
    ssize_t n = write(master, longer + i * 100, 100);
    if (n < 100) break;
  }
  free(longer);
  ssize_t n = write(master, "\n", 1);
  CHECK(n == 1 || errno == EAGAIN);
  if (n == 1) {
    CHECK(EVENTUALLY((n = read(slave, text, sizeof text)) > 0));
    CHECK_EQ(n, 4096);
    CHECK_EQ(text[4095], '\n');
  }
  return 0;
}
