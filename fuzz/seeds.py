#!/usr/bin/env python3
"""Makes the seed corpus: every frame that a client sends in tests/transcripts, to the target of its document.

Records have seeds of their own, written by the server's own test (`cargo test -p callboard-actors seeds`).
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


def main():
    count = 0
    for path in sorted((ROOT.parent / "tests" / "transcripts").glob("*.txt")):
        for frame in frames(path.read_text()):
            keep(TARGETS[path.name[:3]], frame.encode())
            fragments = frame.encode()[:200]
            keep("assembly", bytes([0, 20]) + fragments[:20] + bytes([3, 40]) + fragments[20:60])
            count += 1
    assert count > 200, f"only {count} frames were found"
    print(f"{count} frames")


main()
