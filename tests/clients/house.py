"""A server of its own for a test: the real program on a port that stays the same over restarts."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

PATIENCE = 60.0
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ["CALLBOARD"]


class House:
    """`agents`: files of agents by their names; `encrypted`: over TLS, with a certificate of its own in `certificate`."""

    def __init__(self, *, agents: dict[str, str] | None = None, encrypted: bool = False, **variables: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.data = Path(self._folder.name) / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http{'s' if encrypted else ''}://127.0.0.1:{self.port}"
        self.certificate = Path(self._folder.name) / "cert.pem"
        self._context = None
        if encrypted:
            variables |= self._certify()
            self._context = ssl.create_default_context(cafile=str(self.certificate))
        if agents:
            folder = Path(self._folder.name) / "agents"
            folder.mkdir()
            for name, text in agents.items():
                (folder / f"{name}.toml").write_text(text)
            variables["CALLBOARD_SERVER__AGENTS_DIR"] = str(folder)
        self._environment = {
            "PATH": os.environ["PATH"], "CALLBOARD_RATE__FRAMES_PER_SECOND": "100000",
            "CALLBOARD_RATE__FRAMES_BURST": "200000", **variables,
        }
        self.start()

    def _certify(self) -> dict[str, str]:
        key = self.certificate.with_name("key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2",
             "-subj", "/CN=callboard", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
             "-out", str(self.certificate)],
            check=True, capture_output=True,
        )
        key.chmod(0o600)
        return {"CALLBOARD_TLS__CERT": str(self.certificate), "CALLBOARD_TLS__KEY": str(key)}

    def start(self) -> None:
        bind = f"127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [PROGRAM, "serve", "--bind", bind, "--data-dir", str(self.data)], env=self._environment,
            cwd=self._folder.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(
                    self.url + "/health/ready", timeout=PATIENCE, context=self._context
                ):
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
