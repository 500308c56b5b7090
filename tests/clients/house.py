"""A server of its own for a test: the real program on a port that stays the same over restarts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

PATIENCE = 60.0
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ["CALLBOARD"]


class House:
    def __init__(self, **variables: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.data = Path(self._folder.name) / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            "PATH": os.environ["PATH"], "CALLBOARD_RATE__FRAMES_PER_SECOND": "100000",
            "CALLBOARD_RATE__FRAMES_BURST": "200000", **variables,
        }
        self.start()

    def start(self) -> None:
        bind = f"127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [PROGRAM, "serve", "--bind", bind, "--data-dir", str(self.data)], env=self._environment,
            cwd=self._folder.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(self.url + "/health/ready", timeout=PATIENCE):
                    return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server does not start") from None
                time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._folder.cleanup()

    def token(self, agent: str) -> str:
        command = [PROGRAM, "token", "--tenant", "default", "--agent", agent, "--data-dir", str(self.data), "--json"]
        return json.loads(subprocess.run(command, env=self._environment, capture_output=True, check=True).stdout)["token"]
