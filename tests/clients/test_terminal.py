"""`callboard chat` at a terminal: lines with history, answers in colour, its end."""

from __future__ import annotations

import os
import pty
import select
import time
import unittest

from house import PATIENCE, PROGRAM, House


class Terminal:
    """The program at a pseudo terminal."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, *arguments], environment)
        self.shown = ""

    def until(self, wanted: str) -> None:
        """Reads until this is shown, and forgets what came up to it."""
        deadline = time.monotonic() + PATIENCE
        while wanted not in self.shown:
            readable, _, _ = select.select([self.end], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise AssertionError(f"{wanted!r} is never shown: {self.shown!r}")
            try:
                self.shown += os.read(self.end, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"it ended before {wanted!r}: {self.shown!r}") from None
        self.shown = self.shown[self.shown.index(wanted) + len(wanted):]

    def type(self, keys: str) -> None:
        os.write(self.end, keys.encode())

    def status(self) -> int:
        try:
            while os.read(self.end, 65536):
                pass
        except OSError:
            pass  # The terminal of a program that has ended.
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Chat(unittest.TestCase):
    def test_a_chat_at_a_terminal(self) -> None:
        house = House()
        self.addCleanup(house.close)
        environment = {
            "TERM": "xterm-256color", "HOME": str(house.data), "CALLBOARD_URL": house.url, "PATH": os.environ["PATH"],
        }
        chat = Terminal(["chat", "nyx", "--conversation", "c"], environment)
        chat.until("/help")
        chat.until("> ")
        chat.type("what is 6 times 7?\r")
        chat.until("\x1b[1m\x1b[36mnyx\x1b[0m: ")
        chat.until("6 * 7 = 42")
        chat.until("> ")
        chat.type("/join nyx aria\r")
        chat.until("all answer")
        chat.until("> ")
        chat.type("/handoff sage knows best\r")
        chat.until("sage answers")
        chat.until("> ")
        chat.type("\x04")
        chat.until("--conversation c")
        self.assertEqual(chat.status(), 0)

        # What was typed is remembered by the next one: three lines up.
        chat = Terminal(["chat", "nyx", "--conversation", "d"], {**environment, "NO_COLOR": "1"})
        chat.until("> ")
        chat.type("\x1b[A\x1b[A\x1b[A\r")
        chat.until("nyx: 6 * 7 = 42")
        chat.until("> ")
        chat.type("/quit\r")
        self.assertEqual(chat.status(), 0)
        history = house.data / ".local/state/callboard/history"
        self.assertEqual(history.stat().st_mode & 0o077, 0)


if __name__ == "__main__":
    unittest.main()
