// Raw terminal input: VMIN and VTIME in their four combinations, no editing, no signals, output as
// it is.
#include <poll.h>
#include <termios.h>

#include "pty.h"

static int master, slave;
static struct termios termios;
static char text[64];

static void Set(int least, int time) {
  termios.c_cc[VMIN] = (cc_t)least;
  termios.c_cc[VTIME] = (cc_t)time;
  CHECK_OK(tcsetattr(slave, TCSANOW, &termios));
}

int main(void) {
  OpenPty(&master, &slave);
  CHECK_OK(tcgetattr(slave, &termios));
  cfmakeraw(&termios);
  CHECK_OK(tcsetattr(slave, TCSANOW, &termios));
  struct termios back;
  CHECK_OK(tcgetattr(slave, &back));
  CHECK_EQ(back.c_lflag, termios.c_lflag);
  CHECK_EQ(back.c_iflag, termios.c_iflag);
  CHECK_OK(tcgetattr(master, &back));  // the same settings from the other side
  CHECK_EQ(back.c_lflag, termios.c_lflag);

  // Everything passes as it is.
  static const char kKeys[] = "\3\4\177\r\n\25\21\23\26\32\34\0z";
  CHECK_EQ(write(master, kKeys, sizeof kKeys - 1), sizeof kKeys - 1);
  Set(sizeof kKeys - 1, 0);
  CHECK_EQ(read(slave, text, sizeof text), sizeof kKeys - 1);
  CHECK_MEM(text, kKeys, sizeof kKeys - 1);
  CHECK_EQ(write(slave, "a\nb", 3), 3);
  AwaitInput(master, 3);
  CHECK_EQ(read(master, text, sizeof text), 3);
  CHECK_MEM(text, "a\nb", 3);

  // MIN 0, TIME 0: what is there.
  Set(0, 0);
  CHECK_EQ(read(slave, text, 10), 0);
  CHECK_EQ(write(master, "xy", 2), 2);
  struct pollfd polled = {slave, POLLIN, 0};
  CHECK_EQ(poll(&polled, 1, -1), 1);
  CHECK_EQ(read(slave, text, 10), 2);
  // MIN 0, TIME 1: waits a tenth of a second for one byte.
  Set(0, 1);
  int64_t start = NowMs();
  CHECK_EQ(read(slave, text, 10), 0);
  CHECK(NowMs() - start >= 90);
  CHECK_EQ(write(master, "q", 1), 1);
  CHECK_EQ(poll(&polled, 1, -1), 1);  // it may take longer than that to come through
  CHECK_EQ(read(slave, text, 10), 1);
  // MIN 3, TIME 0: at least three.
  Set(3, 0);
  pid_t pid = Fork();
  if (pid == 0) {
    for (int i = 0; i < 3; i++) {
      CHECK_EQ(write(master, "k", 1), 1);
      Nap(3);
    }
    _exit(0);
  }
  CHECK_EQ(read(slave, text, 10), 3);
  WAIT_EXIT(pid, 0);
  CHECK_EQ(write(master, "abcde", 5), 5);
  CHECK_EQ(read(slave, text, 2), 2);  // but never more than asked
  CHECK_EQ(read(slave, text, 3), 3);
  // MIN 5, TIME 1: the time between two bytes ends it.
  Set(5, 1);
  CHECK_EQ(write(master, "12", 2), 2);
  CHECK_EQ(read(slave, text, 10), 2);
  // Polling honours MIN only when TIME is 0 (termios(3)).
  Set(4, 0);
  CHECK_EQ(write(master, "abc", 3), 3);
  Nap(5);
  CHECK_EQ(poll(&polled, 1, 0), 0);
  CHECK_EQ(write(master, "d", 1), 1);
  CHECK_EQ(poll(&polled, 1, -1), 1);
  CHECK_EQ(read(slave, text, 10), 4);

  // O_NONBLOCK outranks them.
  CHECK_OK(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK));
  Set(1, 0);
  CHECK_ERR(read(slave, text, 10), EAGAIN);

  // Input mappings by themselves.
  Set(1, 0);
  termios.c_iflag |= ICRNL | ISTRIP;
  CHECK_OK(tcsetattr(slave, TCSANOW, &termios));
  CHECK_EQ(write(master, "\r\301", 2), 2);
  CHECK(EVENTUALLY(read(slave, text, 10) == 2));
  CHECK_MEM(text, "\nA", 2);
  termios.c_iflag = INLCR | IGNCR;
  CHECK_OK(tcsetattr(slave, TCSANOW, &termios));
  CHECK_EQ(write(master, "\r\nx", 3), 3);
  CHECK(EVENTUALLY(read(slave, text, 10) == 2));
  CHECK_MEM(text, "\rx", 2);
  // And output mappings.
  termios.c_oflag = OPOST | OCRNL;
  CHECK_OK(tcsetattr(slave, TCSANOW, &termios));
  CHECK_EQ(write(slave, "a\rb", 3), 3);
  AwaitInput(master, 3);
  CHECK_EQ(read(master, text, 10), 3);
  CHECK_MEM(text, "a\nb", 3);
  return 0;
}
