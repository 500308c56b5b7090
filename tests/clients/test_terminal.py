"""The command line at a terminal: a chat with history, colours, decisions and Ctrl-C; how far a long command is."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import callboard
from house import PATIENCE, PROGRAM, House

CAREFUL = """
name = "nyx"
title = "code and project analyst"
description = "I search, if I may."
greeting = "Hello."
tools = ["arithmetic", "search"]
approval = ["search"]
brain = "builtin"
"""


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


class Ponderer(threading.Thread):
    """An agent of another process that never answers; it says when it was asked."""

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self.agent = callboard.Agent(house.url, house.token("ponderer"))
        self.agent.answer(self.ponder)
        self.asked = threading.Semaphore(0)
        self.start()

    async def ponder(self, run: callboard.Run) -> str:
        self.asked.release()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this")

    def run(self) -> None:
        asyncio.run(self.agent.serve())


def environment_of(house: House) -> dict[str, str]:
    return {"TERM": "xterm-256color", "HOME": str(house.data), "CALLBOARD_URL": house.url, "PATH": os.environ["PATH"]}


class Chat(unittest.TestCase):
    def test_what_waits_for_approval_is_decided_at_the_prompt(self) -> None:
        with tempfile.TemporaryDirectory() as workspace:
            (Path(workspace) / "toolbox.rs").write_text("fn toolbox() {}\n")
            house = House(agents={"nyx": CAREFUL}, CALLBOARD_SERVER__WORKSPACE=workspace)
            self.addCleanup(house.close)
            chat = Terminal(["chat", "nyx"], {**environment_of(house), "NO_COLOR": "1"})
            for decision, outcome in [("y", "toolbox.rs"), ("n", "(REJECTED)"), ("", "(REJECTED)"), ("\x03", "(REJECTED)")]:
                chat.until("> ")
                chat.type("search for toolbox\r")
                chat.until("nyx waits for approval of search")
                chat.until("allow it? [y/N] ")
                chat.type(decision if decision == "\x03" else decision + "\r")
                chat.until(outcome)
            chat.until("> ")
            chat.type("/quit\r")
            # Not everything that was said had its answer.
            self.assertEqual(chat.status(), 1)

    def test_ctrl_c_cancels_the_answer_and_not_the_chat(self) -> None:
        house = House()
        self.addCleanup(house.close)
        ponderer = Ponderer(house)
        while "ponderer" not in subprocess.check_output([PROGRAM, "agents"], env=environment_of(house), text=True):
            time.sleep(0.02)
        chat = Terminal(["chat", "--conversation", "c"], {**environment_of(house), "NO_COLOR": "1"})
        chat.until("> ")
        chat.type("@ponderer what do you think?\r")
        self.assertTrue(ponderer.asked.acquire(timeout=PATIENCE))
        chat.type("\x03")
        chat.until("CANCELLED")
        chat.until("> ")
        # A line that is given up is asked for anew.
        chat.type("compute 1 +\x03")
        chat.until("> ")
        chat.type("@nyx compute 6 * 7\r")
        chat.until("6 * 7 = 42")
        chat.until("> ")
        chat.type("\x04")
        self.assertEqual(chat.status(), 1)

    def test_a_chat_at_a_terminal(self) -> None:
        house = House()
        self.addCleanup(house.close)
        environment = environment_of(house)
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


class Progress(unittest.TestCase):
    def test_a_terminal_is_shown_how_far_it_is_and_a_pipe_is_not(self) -> None:
        house = House()
        self.addCleanup(house.close)
        environment = environment_of(house)
        publish = [PROGRAM, "publish", "news", "--parse"]
        lines = "".join(f"{n}\n" for n in range(300))
        subprocess.run(publish, env=environment, input=lines, text=True, check=True, stdout=subprocess.DEVNULL)
        data, folder = ["--data-dir", str(house.data)], house.data.parent
        commands = [
            ("backup", ["backup", str(folder / "copy"), *data], "records in"),
            ("verify", ["verify", *data], "The store is sound."),
            ("verify", ["verify", str(folder / "copy")], "The store is sound."),
            ("export", ["export", str(folder / "all.jsonl"), *data], "Exported"),
            ("restore", ["restore", str(folder / "copy"), "--data-dir", str(folder / "other")], "Restored"),
            ("import", ["import", str(folder / "all.jsonl"), "--data-dir", str(folder / "third")], "Imported"),
        ]
        for name, command, outcome in commands:
            with self.subTest(name):
                shown = Terminal(command, environment)
                shown.until(f"{name} ")
                shown.until(outcome)
                self.assertEqual(shown.status(), 0)
        for command, outcome in [(["verify", *data], "sound"), (["verify", "--json", *data], '"sound":true')]:
            piped = subprocess.run([PROGRAM, *command], env=environment, capture_output=True, text=True, check=True)
            self.assertIn(outcome, piped.stdout)
            self.assertEqual(piped.stderr, "")


if __name__ == "__main__":
    unittest.main()
