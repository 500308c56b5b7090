"""Runs the commands of the documents: every block of `sh`, those of a document one after another, in a world of its own.

What differs from a person's terminal: ports are free ones, `callboard serve` and `nats-server` go on in the background once
they are ready (the former ends before the next one starts), what follows events for ever does so for five seconds, `cargo build` and `cargo run` use the program that was built already, `cargo test`
is left to the other steps of .ci/run, and an HTTP error fails a `curl`.
"""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORTS = ["3001", "8765", "8000", "8001", "4222"]
# Where tests/cluster/setup puts NATS.
NATS = ROOT / "tests/cluster/.tools/bin"
# Pages of measurements: what they show is run by benches/load/run and by a profiler, on optimised builds.
MEASURED = ["performance.md", "profile.md"]
PATIENCE = 300  # seconds for a document, so that nothing hangs; it paces nothing

PRELUDE = r"""
set -euo pipefail
SERVER=
down() { if [ -n "$SERVER" ]; then kill -TERM "$SERVER" 2>/dev/null || true; wait "$SERVER" || true; SERVER=; fi; }
trap 'down; kill $(jobs -p) 2>/dev/null || true' EXIT
up() {
    down
    rm -f server.out
    "$CALLBOARD" "$@" >server.out 2>>server.err &
    SERVER=$!
    until grep -q listening server.out && command curl -s -f -o /dev/null "$(grep -o 'http://[0-9.:]*' server.out | head -n 1)/health/ready"; do
        kill -0 "$SERVER" || { cat server.err; exit 1; }
        sleep 0.1
    done
}
# What goes on until somebody ends it is ended here, after a while in which it must not have failed.
endless() { local status=0; timeout 5 "$CALLBOARD" "$@" || status=$?; [ "$status" = 0 ] || [ "$status" = 124 ]; }
callboard() {
    case "${1:-serve} $*" in
        serve*) up "$@" ;;
        tail* | watch* | *--watch*) endless "$@" ;;
        *) "$CALLBOARD" "$@" ;;
    esac
}
nats-server() {
    command nats-server --port "$NATS_PORT" "$@" 2>nats.err &
    until grep -q 'Server is ready' nats.err; do kill -0 $! || { cat nats.err; exit 1; }; sleep 0.1; done
}
cargo() { case "$1" in run) up serve ;; build | test) : ;; *) echo "cargo $1 is not known here"; return 1 ;; esac; }
curl() {
    case " $* " in *" %{http_code} "*) command curl "$@" ;; *) command curl --fail-with-body "$@" ;; esac
}
"""


def free_ports():
    sockets = [socket.socket() for _ in PORTS]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return dict(zip(PORTS, ports))


def blocks(text):
    """Each block of sh with the line that it begins at. An indented fence would not be found, so it is refused."""
    assert not re.search(r"^[ \t]+```sh", text, re.M), "a block of sh is indented"
    for match in re.finditer(r"^```sh\n(.*?)^```$", text, re.M | re.S):
        yield text.count("\n", 0, match.start()) + 2, match.group(1)


def run(path, program):
    found = list(blocks(path.read_text(encoding="utf-8")))
    if not found:
        return True
    ports = free_ports()
    script = PRELUDE
    for line, block in found:
        script += f"echo '--- line {line}'\n" + block
    script = re.sub(r"(localhost|127\.0\.0\.1):(%s)\b" % "|".join(PORTS), lambda at: f"127.0.0.1:{ports[at[2]]}", script)
    with tempfile.TemporaryDirectory() as world:
        environment = {
            "PATH": f"{NATS}:{os.environ['PATH']}", "NATS_PORT": ports["4222"], "HOME": world, "CALLBOARD": program, "CALLBOARD_BIND": f"127.0.0.1:{ports['3001']}",
            "CALLBOARD_URL": f"http://127.0.0.1:{ports['3001']}",
        }
        done = subprocess.run(
            ["bash", "-c", script], cwd=world, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=PATIENCE,
        )
    name = path.relative_to(ROOT)
    print(f"{name}: {len(found)} blocks, {'ok' if done.returncode == 0 else 'failed'}", flush=True)
    if done.returncode != 0:
        print(done.stdout.decode(errors="replace")[-8000:])
    return done.returncode == 0


def unknown_metrics():
    """What the dashboard and the rules look at and the server does not count."""
    sources = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "src/metrics.rs", *ROOT.glob("src/metrics/*.rs"), ROOT / "actors/src/metrics.rs"])
    used = set()
    for name in ["docs/operating/grafana.json", "docs/operating/alerts.yml", "docs/operating.md"]:
        used |= set(re.findall(r"callboard_[a-z_]+", (ROOT / name).read_text(encoding="utf-8")))
    return sorted(name for name in used if f'"{name.removesuffix("_bucket")}"' not in sources)


def main():
    unknown = unknown_metrics()
    assert not unknown, f"nobody counts {unknown}"
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    wanted = sys.argv[2:]
    documents = [path for path in documents if path.name not in MEASURED and (not wanted or path.name in wanted)]
    results = [run(path, sys.argv[1]) for path in documents]
    sys.exit(0 if results and all(results) else 1)


main()
