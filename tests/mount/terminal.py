#!/usr/bin/env python3
"""A program on a terminal of its own, driven by a script.

    terminal.py ROWSxCOLS PROGRAM [ARG...] <<'END'
    expect TEXT      until the output since the last expect has it
    send TEXT        type it; Python's escapes
    size ROWS COLS   change the terminal's size, as a window does
    signal NAME      send it to the program
    raw | cooked     until the terminal is so
    hangup           the terminal goes
    exit CODE        until the program ends; with that code, the settings as they were
    stopped          until the program is stopped
    END

Everything that was shown goes to stdout. Ends with 1 and a sentence when a step does not
come true within DEADLINE seconds.
"""
import codecs
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time

DEADLINE = float(os.environ.get("TERMINAL_DEADLINE", "50"))


class Terminal:
    def __init__(self, rows, cols, argv):
        self.seen = b""
        self.mark = 0
        self.fd, self.slave = os.openpty()
        self.resize(rows, cols)
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.login_tty(self.slave)
            os.execvp(argv[0], argv)

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, cols, 0, 0))

    def show(self, seconds):
        """Take what comes within that time; false when nothing can any more."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return bool(data)

    def until(self, what, test):
        end = time.monotonic() + DEADLINE
        while not test():
            if time.monotonic() > end:
                sys.exit(f"\nnot within {DEADLINE} s: {what}\nsince: {self.seen[self.mark:]!r}")
            self.show(0.02)

    def expect(self, text):
        self.until(f"expect {text!r}", lambda: self.seen.find(text, self.mark) >= 0)
        self.mark = self.seen.find(text, self.mark) + len(text)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def has_ended(self, options=os.WNOHANG):
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self.status = status
        return pid != 0

    def expect_exit(self, code):
        self.until("the program's end", self.has_ended)
        while self.fd >= 0 and select.select([self.fd], [], [], 0)[0]:
            self.show(0)
        got = os.waitstatus_to_exitcode(self.status)
        if got != code:
            sys.exit(f"\nexit code {got} instead of {code}")
        if self.slave >= 0 and termios.tcgetattr(self.slave) != self.before:
            sys.exit("\nthe terminal's settings are not as before")

    def is_stopped(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "T"

    def hang_up(self):
        os.close(self.slave)
        os.close(self.fd)
        self.fd = self.slave = -1
        self.show = lambda seconds: time.sleep(seconds)


def decode(text):
    return codecs.escape_decode(text.encode())[0]


def carry_out(terminal, word, rest):
    if word == "expect":
        terminal.expect(decode(rest))
    elif word == "send":
        os.write(terminal.fd, decode(rest))
    elif word == "size":
        terminal.resize(*map(int, rest.split()))
    elif word == "signal":
        os.kill(terminal.pid, getattr(signal, "SIG" + rest))
    elif word in ("raw", "cooked"):
        terminal.until(word, lambda: terminal.is_raw() == (word == "raw"))
    elif word == "hangup":
        terminal.hang_up()
    elif word == "exit":
        terminal.expect_exit(int(rest))
    elif word == "stopped":
        terminal.until(word, terminal.is_stopped)
    else:
        sys.exit(f"no such step: {word}")


def main():
    rows, cols = map(int, sys.argv[1].split("x"))
    terminal = Terminal(rows, cols, sys.argv[2:])
    for line in sys.stdin:
        word, _, rest = line.strip("\n").strip("\t").partition(" ")
        if word and not word.startswith("#"):
            carry_out(terminal, word, rest)


main()
