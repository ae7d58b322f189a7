"""Interactive use, on a pseudo-terminal."""
import signal

from harness import Skip, test

PROMPT = rb"[#$] (\x1b\[6n)?$"


def has_tool(z, tool):
    return z.shell(f"command -v {tool} >/dev/null").status == 0


def shell(z, options=(), **more):
    """The shell that line editing is tested with: busybox's, at its prompt."""
    if z.shell("test -e /etc/alpine-release").status == 0:
        terminal = z.terminal(options=options, bare=True, **more)
    elif has_tool(z, "busybox"):
        terminal = z.terminal("busybox", "sh", options=options, **more)
    else:
        raise Skip("the image has no busybox shell")
    terminal.expect(PROMPT)
    return terminal


def finish(z, terminal, status=0):
    z.equal(terminal.wait(), status, "exit status")


def foreground(t, then=""):
    """Starts cat at the prompt. It has answered when this returns: it has the terminal, and no shell is in between."""
    t.line("echo started; cat" + then)
    t.expect(r"\nstarted\r\n")
    t.send("go\r")
    t.expect(r"go\r\ngo\r\n")


# What can be done at a shell's prompt, which comes again afterwards. test_riscv64.py does it too.
def interrupt(t):
    foreground(t)
    t.send("\x03")
    t.expect(PROMPT)
    t.line("echo status=$?")
    t.expect(r"status=130\r\n")
    t.expect(PROMPT)
    t.line("abandoned\x03")
    t.expect(PROMPT)


def interrupt_a_busy_loop(t):
    t.line("echo star''ted; while :; do :; done")
    t.expect(r"\nstarted\r\n")
    t.send("\x03")
    t.expect(PROMPT)


def stop_and_continue(t):
    foreground(t)
    t.send("\x1a")
    t.expect(r"Stopped")
    t.expect(PROMPT)
    t.line("jobs")
    t.expect(r"Stopped +cat")
    t.expect(PROMPT)
    t.line("fg")
    t.expect(r"fg\r\ncat\r\n")
    t.send("on\r")
    t.expect(r"on\r\non\r\n")
    t.send("\x04")
    t.expect(PROMPT)
    t.line("jobs; echo none-left")
    t.expect(r"\r\nnone-left\r\n")
    t.expect(PROMPT)


def edit_lines(t):
    t.send("echo abd\x1b[Dc\r")  # left
    t.expect(r"\r\nabcd\r\n")
    t.expect(PROMPT)
    t.send("\x1b[A\r")  # up: the last command again
    t.expect(r"\r\nabcd\r\n")
    t.expect(PROMPT)
    t.send("echo wrong\x7f\x7f\x7f\x7f\x7fright\r")  # backspace
    t.expect(r"\r\nright\r\n")
    t.expect(PROMPT)
    t.send("cho x\x01e\r")  # Ctrl-A
    t.expect(r"\r\nx\r\n")
    t.expect(PROMPT)
    t.send("echo /etc/passw\t\r")  # completion
    t.expect(r"\r\n/etc/passwd ?\r\n")
    t.expect(PROMPT)


def edit_with_vi(t):
    """vi has been started on note.txt."""
    t.expect(r"note\.txt")
    t.send("ihello from vi\x1b")
    t.expect("hello from vi")
    t.send("yyp")
    t.quiet()
    t.send(":wq\r")


def look_at_top(t):
    """top has been started."""
    t.expect(r"Mem|PID")
    t.expect(r"top")
    t.send("q")


@test
def terminal_echo(z):
    t = shell(z)
    t.line("echo result: $((40+2))")
    t.expect(r"echo result: \$\(\(40\+2\)\)\r\n")
    t.expect(r"result: 42\r\n")
    t.expect(PROMPT)
    t.line("exit 3")
    finish(z, t, 3)


@test
def terminal_is_one(z):
    t = shell(z)
    t.line("tty; test -t 0 && test -t 1 && test -t 2 && echo 'is 'one; : </dev/tty && echo 'has 'tty; exit")
    t.expect(r"/dev/(pts/\d+|console|tty)\r\n")
    t.expect(r"is one\r\n.*has tty\r\n")
    finish(z, t)


@test
def terminal_end_of_file(z):
    t = shell(z)
    t.send("\x04")
    finish(z, t)
    t = shell(z)
    foreground(t, "; echo after-$?")
    t.send("text\r")
    t.expect(r"text\r\ntext\r\n")
    t.send("\x04")
    t.expect(r"after-0\r\n")
    t.expect(PROMPT)  # before, it would end a line for somebody else
    t.send("\x04")
    finish(z, t)


@test
def terminal_interrupt(z):
    t = shell(z)
    interrupt(t)
    t.line("exit 0")
    finish(z, t)


@test
def terminal_interrupt_a_busy_loop(z):
    t = shell(z)
    interrupt_a_busy_loop(t)
    t.line("exit 0")
    finish(z, t)


@test
def terminal_quit(z):
    t = shell(z)
    foreground(t)
    t.send("\x1c")
    t.expect(PROMPT)
    t.line("echo status=$?")
    t.expect(r"status=131\r\n")
    t.line("exit 0")
    finish(z, t)


@test
def terminal_stop_and_foreground(z):
    t = shell(z)
    stop_and_continue(t)
    # An interactive shell ignores SIGTERM, and so does its child until it has put that right.
    t.line("sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; kill %1; wait; exit 0")
    finish(z, t)


@test
def terminal_background_reader_stops(z):
    t = shell(z)
    t.line("cat & until grep -q 'State:.T' /proc/$!/status; do sleep 0.1; done; jobs")
    t.expect(r"Stopped")
    t.expect(PROMPT)
    # The shell does not wait for what it knows as stopped, and does not leave it either.
    t.line("kill -9 %1; while [ -e /proc/$! ]; do sleep 0.1; done; echo gone")
    t.expect(r"\r\ngone\r\n")
    t.expect(PROMPT)
    t.line("exit 0")
    finish(z, t)


@test
def terminal_line_editing(z):
    t = shell(z)
    edit_lines(t)
    t.line("exit 0")
    finish(z, t)


@test
def terminal_canonical_editing(z):
    # The kernel's own line editing: erase, kill, word erase, literal next.
    t = z.terminal("sh", "-c", "echo go; read -r line; echo \"<$line>\"; read -r line; echo \"<$line>\"")
    t.expect(r"go\r\n")
    t.send("wrong\x15one twx\x7f\x7f\x7f\x17two\r")
    t.expect(r"<two>")
    t.send("a\x16\x03b\r")
    t.expect(rb"<a\x03b>")
    finish(z, t)


@test
def terminal_window_size(z):
    t = z.terminal("sh", "-c", "stty size; trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.1; done",
                   rows=33, columns=111)
    t.expect(r"33 111\r\n.*ready\r\n")
    t.resize(44, 122)
    t.process.send_signal(signal.SIGWINCH)
    t.expect(r"44 122\r\n")
    finish(z, t)


@test
def terminal_vi(z):
    if not has_tool(z, "vi") and not has_tool(z, "busybox"):
        raise Skip("the image has no vi")
    command = ["vi"] if has_tool(z, "vi") else ["busybox", "vi"]
    t = z.terminal(*command, "note.txt")
    edit_with_vi(t)
    finish(z, t)
    z.equal((z.folder / "note.txt").read_text(), "hello from vi\nhello from vi\n")


@test
def terminal_vi_follows_the_window(z):
    if not has_tool(z, "busybox"):
        raise Skip("the image has no busybox")
    t = z.terminal("busybox", "vi", "note.txt", rows=10)
    t.expect(r"note\.txt")
    t.resize(20, 60)
    t.process.send_signal(signal.SIGWINCH)
    t.expect(r"\x1b\[20;1H")
    t.send(":q!\r")
    finish(z, t)


@test
def terminal_top(z):
    command = ["busybox", "top"] if has_tool(z, "busybox") else ["top"]
    t = z.terminal(*command)
    look_at_top(t)
    finish(z, t)


@test
def terminal_is_restored(z):
    t = z.terminal("sh", "-c", "stty raw -echo; exit 0")
    finish(z, t)
    z.equal(t.settings(), t.before, "the host terminal's settings")
    t = z.terminal("sh", "-c", "stty raw -echo; kill -9 -1; sleep 5")
    t.wait()
    z.equal(t.settings(), t.before, "the host terminal's settings after a violent end")


@test
def terminal_raw_mode(z):
    t = z.terminal("sh", "-c", "stty raw -echo; echo go; dd bs=1 count=3 2>/dev/null | od -An -tx1; exec stty sane")
    t.expect("go")
    t.send("\x03\x1a\x04")
    t.expect(r"03 1a 04")
    finish(z, t)


@test
def terminal_vanishes(z):
    t = shell(z)
    foreground(t)
    t.hang_up()
    z.until(lambda: t.process.poll() is not None, "zrun ends when its terminal is gone")
    z.until(lambda: not z.children(), "the container ends when its terminal is gone")


@test
def terminal_killed_supervisor(z):
    t = z.terminal("sh", "-c", "echo ready; sleep 1000")
    t.expect("ready")
    t.process.kill()
    t.process.wait()
    z.until(lambda: not z.children(), "the container outlives its zrun")


@test
def terminal_only_for_output(z):
    # Standard input is a pipe: no terminal is made, and none is needed.
    z.ok(z.shell("test -t 1 || echo none; cat", input="x\n"), "none\nx\n")


@test
def terminal_new_pty_inside(z):
    image = z.image if has_tool(z, "script") else z.gcc_image
    if not image:
        raise Skip("no image has script(1)")
    t = z.terminal("script", "-qc", "tty; stty size", "/dev/null", image=image, rows=31, columns=91)
    t.expect(r"/dev/pts/\d+\r\n.*31 91\r\n")
    finish(z, t)
