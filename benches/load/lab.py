"""What measuring needs: servers started and stopped by their own process ids, the load generator, and their memory and CPU.

What is measured and in which order belongs in measure.py, how it is told in report.py.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PORT = int(os.environ.get("PORT", "3911"))
TOOLS = Path(os.environ["CALLBOARD_TOOLS"])
HOME = Path(os.environ["CALLBOARD_PEERS"])
SERVER = os.environ["CALLBOARD_BIN"]
PEER = TOOLS / "peers" / "peer"
LOADGEN = HOME / "target" / "release" / "loadgen"
CONFIG = "benches/load/callboard.toml"

#: No single command takes longer; a load that does is broken, and the whole run stays bounded.
LONGEST_S = 150


class Broken(Exception):
    """A load that did not come to an end, or a server that did not start."""


class Server:
    """Callboard over a data folder, until the end of the `with` block."""

    def __init__(self, lab, data, env=None):
        self.lab, self.data, self.env = lab, Path(data), env or {}

    def __enter__(self):
        self.data.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, CALLBOARD_BIND=f"127.0.0.1:{PORT}", RUST_LOG="warn", **self.env)
        command = [SERVER, "serve", "--config", CONFIG, "--data-dir", str(self.data)]
        log = open(self.data / "server.log", "ab")
        began = time.monotonic()
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.lab.children.append(self.process)
        self._until_ready(began)
        return self

    def _until_ready(self, began):
        while time.monotonic() - began < LONGEST_S:
            if self.process.poll() is not None:
                raise Broken(f"the server ended with {self.process.returncode}: {self._log_end()}")
            try:
                if self.get("/health/ready")[0] == 200:
                    self.ready_s = time.monotonic() - began
                    return
            except OSError:
                pass
            time.sleep(0.001)
        raise Broken("the server was not ready in time")

    def _log_end(self):
        return (self.data / "server.log").read_text(errors="replace")[-400:]

    def __exit__(self, *_):
        self.lab.end(self.process)

    @property
    def pid(self):
        return self.process.pid

    def get(self, path, connection=None):
        """Status and body of a GET."""
        connection = connection or http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()

    def json(self, path, connection=None):
        status, body = self.get(path, connection)
        if status != 200:
            raise Broken(f"GET {path}: {status} {body[:200]!r}")
        return json.loads(body)

    def rss_kib(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise Broken("no VmRSS")

    def cpu_s(self):
        """CPU time of all its threads, those that ended too."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_pct(self, secs):
        """How much of one core it takes while nobody asks it anything."""
        before, began = self.cpu_s(), time.monotonic()
        time.sleep(secs)
        return 100 * (self.cpu_s() - before) / (time.monotonic() - began)

    def token(self, tenant, agent):
        command = [SERVER, "token", "--tenant", tenant, "--agent", agent, "--data-dir", str(self.data)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]


class Lab:
    """Owns every process and folder of a run."""

    def __init__(self):
        self.children, self.peers = [], []
        self.folder = Path(tempfile.mkdtemp(prefix="callboard-load-"))
        self.count = 0
        #: Each load's command, as a reader would type it.
        self.commands = {}

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._interrupted)
        return self

    @staticmethod
    def _interrupted(number, _frame):
        raise SystemExit(128 + number)

    def __exit__(self, *_):
        for name in list(self.peers):
            self.stop_peer(name)
        for process in list(self.children):
            self.end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.children:
            self.children.remove(process)

    def fresh(self):
        """A new data folder."""
        self.count += 1
        return self.folder / f"data-{self.count}"

    def server(self, data=None, env=None):
        return Server(self, data or self.fresh(), env)

    def note(self, key, command, hide=()):
        """Remembers how `key` was measured, without what changes from run to run."""
        words = []
        for word in map(str, command):
            for secret, name in hide:
                word = word.replace(secret, name)
            words.append(word if word.replace("-", "").replace(":", "").replace("/", "").replace(".", "").isalnum() else f"'{word}'")
        self.commands.setdefault(key, " ".join(words))

    def spawn(self, command, env=None):
        process = subprocess.Popen(
            [str(word) for word in command], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.children.append(process)
        return process

    def result(self, process):
        """The JSON line that a process prints at its end."""
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired as late:
            raise Broken(f"{process.args[0]} took too long") from late
        finally:
            self.end(process)
        if process.returncode != 0:
            raise Broken(f"{' '.join(process.args[:4])}: {err.strip()[-300:]}")
        return json.loads(out.strip().splitlines()[-1])

    def loadgen(self, key, mode, server, args, hide=()):
        """One load against Callboard."""
        self.note(key, ["loadgen", mode, *args, "--pid", "$PID", "--json"], hide)
        return self.result(self.spawn([LOADGEN, mode, *args, "--pid", server.pid, "--json"]))

    def peer(self, key, name, mode, number, secs, args=()):
        """One load against a peer, which is started and stopped for it."""
        self.note(key, [f"SECS={secs:g}", "peer", "measure", name, mode, number, *args])
        self.peers.append(name)
        environment = dict(os.environ, SECS=f"{secs:g}")
        try:
            measured = self.result(self.spawn([PEER, "measure", name, mode, number, *args], environment))
        except BaseException:
            self.stop_peer(name)
            raise
        self.peers.remove(name)
        return measured

    def start_peer(self, name):
        """Starts a peer and says its process id and address."""
        self.peers.append(name)
        say = lambda what: subprocess.run([PEER, what, name], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run([PEER, "start", name], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return int(say("pid")), say("url")

    def stop_peer(self, name):
        subprocess.run([PEER, "stop", name], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.peers.remove(name)
