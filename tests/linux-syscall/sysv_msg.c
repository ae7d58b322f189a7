// msgget(2), msgsnd(2), msgrcv(2), msgctl(2): System V message queues.
#include <sys/ipc.h>
#include <sys/msg.h>

#include "proc.h"

static int id;
static void Remove(void) { msgctl(id, IPC_RMID, NULL); }

static struct Text {
  long type;
  char text[8192];
} out, in;

static int Send(long type, const char* text, int flags) {
  out.type = type;
  strcpy(out.text, text);
  return msgsnd(id, &out, strlen(text), flags);
}
static ssize_t Receive(size_t size, long type, int flags) {
  memset(&in, 0, sizeof in);
  return msgrcv(id, &in, size, type, flags);
}
static struct msqid_ds Stat(void) {
  struct msqid_ds ds;
  CHECK_OK(msgctl(id, IPC_STAT, &ds));
  return ds;
}

static void OnSignal(int number) { (void)number; }

static void Order(void) {
  CHECK_OK(Send(3, "three", 0));
  CHECK_OK(Send(1, "one", 0));
  CHECK_OK(Send(2, "two", 0));
  CHECK_OK(Send(1, "uno", 0));
  struct msqid_ds ds = Stat();
  CHECK_EQ(ds.msg_qnum, 4);
  CHECK_EQ(ds.__msg_cbytes, 14);
  CHECK_EQ(ds.msg_lspid, getpid());
  CHECK(ds.msg_stime > 1600000000);
  CHECK_EQ(ds.msg_rtime, 0);
  CHECK_EQ(Receive(100, 2, 0), 3);
  CHECK_STR(in.text, "two");
  CHECK_EQ(in.type, 2);
  CHECK_EQ(Receive(100, 3, MSG_EXCEPT), 3);
  CHECK_STR(in.text, "one");
  CHECK_EQ(Receive(100, -2, 0), 3);  // the lowest up to 2
  CHECK_STR(in.text, "uno");
  CHECK_ERR(Receive(100, -2, IPC_NOWAIT), ENOMSG);
  CHECK_ERR(Receive(4, 0, 0), E2BIG);
  CHECK_EQ(Receive(4, 0, MSG_NOERROR), 4);
  CHECK_STR(in.text, "thre");
  CHECK_ERR(Receive(4, 0, IPC_NOWAIT), ENOMSG);
  CHECK_OK(Send(1, "", 0));
  CHECK_EQ(Receive(0, 0, 0), 0);
  ds = Stat();
  CHECK_EQ(ds.msg_qnum, 0);
  CHECK_EQ(ds.msg_lrpid, getpid());
}

static void Errors(void) {
  CHECK_ERR(Send(0, "x", 0), EINVAL);
  CHECK_ERR(Send(-1, "x", 0), EINVAL);
  CHECK_ERR(msgsnd(id, &out, 8193, 0), EINVAL);
  CHECK_ERR(msgsnd(id, BAD_POINTER, 1, 0), EFAULT);
  CHECK_ERR(msgsnd(-1, &out, 1, 0), EINVAL);
  CHECK_ERR(msgrcv(id, &in, (size_t)-1, 0, 0), EINVAL);
  CHECK_ERR(msgctl(id, 99, NULL), EINVAL);
  key_t key = (key_t)(0x5c000000 | (getpid() & 0xffffff));
  CHECK_ERR(msgget(key, 0600), ENOENT);
  int keyed = (int)CHECK_OK(msgget(key, IPC_CREAT | 0600));
  CHECK_ERR(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
  CHECK_EQ(msgget(key, 0), keyed);
  if (IsRoot()) {
    IN_CHILD({
      BecomeNobody();
      out.type = 1;
      CHECK_ERR(msgget(key, 0600), EACCES);
      CHECK_ERR(msgsnd(keyed, &out, 1, 0), EACCES);
      CHECK_ERR(msgctl(keyed, IPC_RMID, NULL), EPERM);
    });
  }
  CHECK_OK(msgctl(keyed, IPC_RMID, NULL));
}

static void Waiting(void) {
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_EQ(Receive(100, 7, 0), 5);
    CHECK_STR(in.text, "seven");
    _exit(0);
  }
  LetBlock(pid);
  CHECK_OK(Send(6, "six", 0));
  CHECK_OK(Send(7, "seven", 0));
  WAIT_EXIT(pid, 0);
  CHECK_EQ(Receive(100, 0, 0), 3);

  // Full: the sender waits for room.
  struct msqid_ds ds = Stat();
  ds.msg_qbytes = 100;
  CHECK_OK(msgctl(id, IPC_SET, &ds));
  out.type = 1;
  CHECK_OK(msgsnd(id, &out, 60, 0));
  CHECK_ERR(msgsnd(id, &out, 60, IPC_NOWAIT), EAGAIN);
  pid = Fork();
  if (pid == 0) {
    CHECK_OK(msgsnd(id, &out, 60, 0));
    _exit(0);
  }
  LetBlock(pid);
  CHECK_EQ(Stat().msg_qnum, 1);
  CHECK_EQ(Receive(100, 0, 0), 60);
  WAIT_EXIT(pid, 0);
  CHECK_EQ(Receive(100, 0, 0), 60);

  int told[2];
  char c;
  CHECK_OK(pipe(told));
  pid = Fork();
  if (pid == 0) {
    Handle(SIGUSR1, OnSignal, SA_RESTART);
    CHECK_EQ(write(told[1], "r", 1), 1);
    CHECK_ERR(Receive(100, 0, 0), EINTR);
    _exit(0);
  }
  CHECK_EQ(read(told[0], &c, 1), 1);
  int status;
  while (waitpid(pid, &status, WNOHANG) == 0) {  // again: it may not have been waiting yet
    CHECK_OK(kill(pid, SIGUSR1));
    Nap(2);
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
  id = (int)CHECK_OK(msgget(IPC_PRIVATE, 0600));
  atexit(Remove);
  Order();
  Errors();
  Waiting();
  struct msginfo info;
  int highest = (int)CHECK_OK(msgctl(0, IPC_INFO, (struct msqid_ds*)&info));
  CHECK(info.msgmax >= 8192 && info.msgmnb >= 16384);
  bool seen = false;
  struct msqid_ds ds;
  for (int i = 0; i <= highest; i++) seen |= msgctl(i, MSG_STAT, &ds) == id;
  CHECK(seen);
  pid_t pid = Fork();
  if (pid == 0) {
    CHECK_ERR(Receive(100, 0, 0), EIDRM);
    _exit(0);
  }
  AWAIT_STATE(pid, 'S');
  CHECK_OK(msgctl(id, IPC_RMID, NULL));
  WAIT_EXIT(pid, 0);
  return 0;
}
