#!/usr/bin/env python3
"""Makes the seed corpus: every frame that a client sends in tests/transcripts, to the target of its document.

Records are written here by hand, one of each kind: a format byte, then the fields in postcard.
"""

import hashlib
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent
TARGETS = {"000": "agents", "001": "steps", "002": "agents", "003": "channels", "004": "threads"}


def frames(text):
    """What clients send, a line with those that go on with it as one."""
    joined = []
    for line in text.splitlines():
        if line.startswith(" ") and joined:
            joined[-1] += "\n" + line
        else:
            joined.append(line)
    for line in joined:
        sent = re.match(r"(?s)[A-Z]?\d?>(?:raw)?\s*(.*)", line)
        if sent:
            yield sent.group(1)


def keep(target, seed):
    folder = ROOT / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


def text(said):
    """A short text in postcard."""
    return bytes([len(said)]) + said.encode()


def records():
    none, some, at = b"\0", b"\1", b"\x80\x01"
    step = b"\1" + text("counting") + b"\0\0\0\x3f" + at + some + text("project") + text("{}") + b"\1"
    yield b"\1" + text("m1") + b"\0" + none + b"\1\0" + text("hi") + at + some + b"\1" + text("nyx") + b"\0" + none + none
    answers = some + text("run-1-1-1") + at
    yield b"\1" + text("m2") + b"\1" + some + text("nyx") + b"\2\2" + step + b"\0" + text("2 files") + at + none + answers
    yield b"\1" + none + b"\1" + text("nyx") + text("nyx") + b"\0" + at
    yield b"\1" + text("run-1-1-1") + b"\1\5" + text("") + text("it failed") + none + b"\0" + b"\1" + step + none + at
    yield b"\1" + text("m1") + some + text("bob") + text("s") + text("message") + text("[1]") + none + none + at
    yield b"\1" + some + text("news") + none + text("s") + at + b"\7"


def main():
    for record in records():
        keep("records", record)
    count = 0
    for path in sorted((ROOT.parent / "transcripts").glob("*.txt")):
        for frame in frames(path.read_text()):
            keep(TARGETS[path.name[:3]], frame.encode())
            fragments = frame.encode()[:200]
            keep("assembly", bytes([0, 20]) + fragments[:20] + bytes([3, 40]) + fragments[20:60])
            count += 1
    assert count > 200, f"only {count} frames were found"
    print(f"{count} frames")


main()
