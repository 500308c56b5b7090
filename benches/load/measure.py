"""Measures Callboard and its peers in turn; started by benches/load/run.

Every load meets a fresh server with an empty data folder, the default durability and the agents of benches/load/agents.
The figures go to a JSON file; report.py tells them. Ends with 3 if something was lost or out of order.
"""

import argparse
import http.client
import json
import os
import platform
import random
import sys
import time
from pathlib import Path

from lab import LOADGEN, PORT, Broken, Lab

URL = f"ws://127.0.0.1:{PORT}/ws"
CHAT = '{"type":"chat","id":"{n}","targetAgent":"echo","data":{"message":"ts{ts} {pad}"}}'
ANSWER = ["--match", '"chat_response"']
STATUS = '{"type":"status","id":"{n}","targetAgent":"nyx"}'
PUBLISH = '{"type":"publish","data":{"channel":"c","content":"ts{ts} {pad}"}}'
SUBSCRIBE = ["--sub-init", '{"type":"subscribe","data":{"channels":["c"]}}', "--sub-ready", "subscribed"]
FAN = [*SUBSCRIBE, "--frame", PUBLISH, "--match", "channel_message"]
MESSAGE = '{"id":"{rnd}","type":"message","content":"ts{ts} {pad}"}'
SESSIONS = ["--url", URL, "--conns", "64"]

#: Who is compared in which load.
ECHOES = ["actix", "nats", "ws", "fastapi"]
HUBS = ["actix-sharded", "actix", "nats", "ws", "fastapi"]
JAMMED = ["actix", "nats", "ws"]
PEERS = {*ECHOES, *HUBS}


class Run:
    """One run: what was asked for, and what was measured so far."""

    def __init__(self, lab, asked):
        self.lab, self.quick, self.missing = lab, asked.quick, set(asked.missing.split())
        self.secs = 1 if self.quick else 3
        self.rounds = 1 if self.quick else int(os.environ.get("ROUNDS", "3"))
        self.records = 20_000 if self.quick else min(int(os.environ.get("RECORDS", "1000000")), 5_000_000)
        self.loads, self.once, self.faults = {}, {}, []

    def add(self, load, subject, figures):
        """Keeps figures, and says what is wrong with them."""
        wrong = {name: figures[name] for name in ("lost", "out_of_order", "extra", "lost_conns") if figures.get(name)}
        if subject not in PEERS and wrong:
            self.faults.append(f"{load}: {wrong}")
        self.loads.setdefault(load, {}).setdefault(subject, []).append(figures)
        cpu, rate = figures.get("server_cpu_us_per_msg"), figures.get("msgs_per_s", figures.get("deliveries_per_s"))
        print(f"  {load:12} {subject:14} {cpu} us  {rate}/s  p99 {figures.get('latency', {}).get('p99_us')} us", flush=True)

    def present(self, names):
        return [name for name in names if name not in self.missing]

    def time(self):
        return ["--secs", str(self.secs)]

    def ours(self, load, mode, args):
        with self.lab.server() as server:
            figures = self.lab.loadgen(f"{load} callboard", mode, server, [*args, *self.time()])
        self.add(load, "callboard", figures)
        return figures

    def theirs(self, load, name, mode, number, args=()):
        figures = self.lab.peer(f"{load} {name}", name, mode, number, self.secs, args)
        self.add(load, name, figures)
        return figures


def chats(run):
    """Round trips of 64 sessions, and then at half the rate that each reached."""
    depth = ["--depth", "4", "--size", "256"]
    frames = ["--frame", CHAT, *ANSWER]
    most = {"callboard": run.ours("chat", "rtt", [*SESSIONS, *depth, *frames])}
    run.ours("status", "rtt", [*SESSIONS, *depth, "--frame", STATUS, "--match", '"status_update"', "--lat", "fifo"])
    for name in run.present(ECHOES):
        most[name] = run.theirs("chat", name, "rtt", 64, depth)
    for name, figures in most.items():
        rate = ["--rate", str(int(figures["msgs_per_s"] / 2)), "--size", "256"]
        if name == "callboard":
            run.ours("open", "rtt", [*SESSIONS, *rate, *frames])
        else:
            run.theirs("open", name, "rtt", 64, rate)


def fan_outs(run):
    """One publisher, 1,000 and 100 subscribers, as fast as they read; then 100 publications a second."""
    for subs, window in ((1000, 8), (100, 64)):
        load = f"fan-{subs}"
        run.ours(load, "fanout", ["--url", URL, *FAN, "--subs", str(subs), "--window", str(window), "--size", "256"])
        by_token(run, f"{load}-003", subs, window)
        for name in run.present(HUBS):
            run.theirs(load, name, "fan", subs, ["--size", "256"])
    paced = ["--rate", "100", "--size", "256"]
    run.ours("paced", "fanout", ["--url", URL, *FAN, "--subs", "100", *paced])
    for name in run.present(["actix-sharded", "nats"]):
        run.theirs("paced", name, "fan", 100, paced)


def by_token(run, load, subs, window):
    """The same through document 003, whose endpoint asks for a token; the publisher hears its own messages too."""
    with run.lab.server() as server:
        token = server.token("t", "worker")
        address = f"ws://127.0.0.1:{PORT}/v1/ws?token={token}&channel_id="
        args = ["--sub-url", f"{address}c", "--pub-url", f"{address}c", "--frame", MESSAGE, "--match", '"content":"ts']
        args += ["--subs", str(subs), "--window", str(window), "--size", "256", *run.time()]
        figures = run.lab.loadgen(f"{load} callboard", "fanout", server, args, hide=[(token, "$TOKEN")])
    run.add(load, "callboard", figures)


def tenants(run):
    """3 agents of one tenant, then 100 agents of which 50 tenants use two each: 100 generators of one session, alike."""
    processes = 10 if run.quick else 50
    for subject, one in (("3 agents, 1 tenant", True), (f"{2 * processes} agents, {processes} tenants", False)):
        names = [f"a{number}" for number in range(3 if one else 2 * processes)]
        folder = run.lab.fresh()
        folder.mkdir()
        for name in names:
            text = f'name = "{name}"\ntitle = "echo"\ndescription = "I answer with what I was told."\n'
            text += 'greeting = "Hello."\nbrain = "echo"\n\n[limits]\nqueue = 100000\n'
            (folder / f"{name}.toml").write_text(text)
        with run.lab.server(env={"CALLBOARD_SERVER__AGENTS_DIR": str(folder)}) as server:
            commands = []
            for number in range(processes):
                token = server.token("t" if one else f"t{number}", "worker")
                first, second = (names[(2 * number + which) % len(names)] for which in (0, 1))
                pair = [many_sessions(run, token, agent, server) for agent in (first, second)]
                commands += pair
            begun = [run.lab.spawn(command) for command in commands]
            figures = [run.lab.result(process) for process in begun]
        told = ["loadgen", *commands[0][1:]]
        hide = [(token_of(commands[0]), "$TOKEN"), (f"--pid {server.pid}", "--pid $PID")]
        run.lab.note(f"tenants, one of {len(commands)} at once", told, hide)
        run.add("tenants", subject, together(figures))


def many_sessions(run, token, agent, server):
    frame = CHAT.replace('"echo"', f'"{agent}"')
    args = ["--url", f"{URL}?token={token}", "--conns", "1", "--depth", "2", "--size", "256", "--frame", frame, *ANSWER]
    return [str(LOADGEN), "rtt", *args, *run.time(), "--pid", str(server.pid), "--json", "--warmup", "2"]


def token_of(command):
    return next(word for word in command if "token=" in word).split("token=")[1]


def together(figures):
    """Generators that ran side by side, as one: each saw the whole server's CPU, but its own messages only."""
    rate = sum(one["msgs_per_s"] for one in figures)
    cpu = sum(one["server_cpu_pct"] for one in figures) / len(figures)
    return {
        "msgs_per_s": round(rate),
        "server_cpu_us_per_msg": round(cpu * 10_000 / rate, 2),
        "lost_conns": sum(one["lost_conns"] for one in figures),
    }


def idle(run):
    """What an open session takes."""
    conns = 500 if run.quick else 5000
    with run.lab.server() as server:
        args = ["--url", URL, "--conns", str(conns), *run.time()]
        run.add("idle", "callboard", run.lab.loadgen("idle callboard", "idle", server, args))
    for name in run.present(ECHOES):
        run.add("idle", name, run.lab.peer(f"idle {name}", name, "idle", conns, run.secs))


def many(run):
    """Thousands of conversations and channels in use, and then not."""
    conversations, channels, rate = (1000, 100, 1000) if run.quick else (10_000, 1000, 2500)
    with run.lab.server(env={"CALLBOARD_RUNTIME__IDLE": "10s"}) as server:
        chat = CHAT.replace('"data":{', '"data":{"conversationId":"many-{n}",')
        publish = PUBLISH.replace('"c"', '"many-{n}"')
        in_use = lambda: (lambda status: status["conversations"] + status["channels"])(server.json("/status"))
        before = {"rss_kib": server.rss_kib(), "cpu_pct": server.cpu_pct(5)}
        args = ["--warmup", "0", "--depth", "1", "--size", "256"]
        secs = conversations / rate
        paced = ["--rate", str(rate), "--secs", f"{secs:g}"]
        run.lab.loadgen("many callboard", "rtt", server, [*SESSIONS, *args, "--frame", chat, *ANSWER, *paced])
        more = ["--match", '"published"', "--lat", "fifo", "--rate", str(channels), "--secs", "1"]
        run.lab.loadgen("many channels", "rtt", server, [*SESSIONS, *args, "--frame", publish, *more])
        during = {"rss_kib": server.rss_kib(), "in_use": in_use()}
        deadline = time.monotonic() + 40
        while in_use() > 0 and time.monotonic() < deadline:
            time.sleep(0.25)
        # What was in memory a moment ago is still being let go.
        time.sleep(3)
        after = {"in_use": in_use(), "cpu_pct": server.cpu_pct(5), "rss_kib": server.rss_kib()}
        one = ["--url", URL, "--conns", "1", *args, "--frame", chat.replace("many-{n}", "many-1"), *ANSWER]
        back = run.lab.loadgen("many again", "rtt", server, [*one, "--secs", "1"])
        stored = server.json("/conversations/many-1")["messages"]
    if after["in_use"]:
        run.faults.append(f"many: {after['in_use']} conversations and channels were still in memory")
    if stored < 2 + 2 * int(back["latency"]["n"]):
        run.faults.append(f"many: conversation many-1 has {stored} messages after its return")
    told = {"conversations": conversations, "channels": channels}
    run.once["many"] = {**told, "before": before, "during": during, "after": after}
    print("  many", run.once["many"], flush=True)


def stores(run):
    """Time until ready, and pages of 50, with an empty store, with 10 thousand records and with many."""
    ready = {"empty": []}
    for _ in range(run.rounds):
        with run.lab.server() as server:
            ready["empty"].append(server.ready_s)
    pages = {}
    for name, records in (("small", 10_000), ("large", run.records)):
        data = run.lab.fresh()
        with run.lab.server(data) as server:
            stored = fill(run, server, records)
        opened = []
        for _ in range(1 + run.rounds):
            with run.lab.server(data) as server:
                opened.append(server.ready_s)
        ready[name] = {"first": opened[0], "again": opened[1:]}
        with run.lab.server(data) as server:
            pages[name] = [read_pages(run, server, 200 if run.quick else 2000) for _ in range(run.rounds)]
        pages[f"{name}_records"] = stored
    run.once["ready"], run.once["page"] = ready, pages
    print("  stores", json.dumps(run.once["ready"]), json.dumps(pages), flush=True)


def fill(run, server, records):
    """Chats in 64 conversations until there are so many records; every answered one must be in the store."""
    chat = CHAT.replace('"data":{', '"data":{"conversationId":"fill-{id}",')
    answered, stored, deadline = 0, 0, time.monotonic() + (900 if records > 1_000_000 else 200)
    while stored < records:
        if time.monotonic() > deadline:
            raise Broken(f"only {stored} of {records} records were written in time")
        chats = (records - stored) / 2
        # As fast as it goes, and the rest at a rate, so that it ends near the number asked for.
        end = ["--secs", "4"] if chats > 100_000 else ["--rate", "8000", "--secs", f"{max(0.05, chats / 8000):.2f}"]
        args = [*SESSIONS, "--depth", "16", "--size", "256", "--frame", chat, *ANSWER, "--warmup", "0", *end]
        answered += run.lab.loadgen("fill callboard", "rtt", server, args)["latency"]["n"]
        stored = sum(server.json(f"/conversations/fill-{number}")["messages"] for number in range(64))
    if stored < 2 * answered:
        run.faults.append(f"fill: {answered} answered chats, but {stored} messages stored")
    return stored


def read_pages(run, server, count):
    """Pages of 50 over one connection, the last ones and such at random places: what each costs and how long it takes."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    messages = [server.json(f"/conversations/fill-{number}", connection)["messages"] for number in range(64)]
    chance, figures = random.Random(1), {}
    for kind in ("last", "random"):
        waits, began = [], server.cpu_s()
        for _ in range(count):
            which = chance.randrange(64)
            end = messages[which] + 1
            before = end if kind == "last" else chance.randint(52, max(52, end))
            path = f"/conversations/fill-{which}/messages?limit=50&before={before}"
            start = time.monotonic()
            page = server.json(path, connection)["messages"]
            waits.append(time.monotonic() - start)
            if [message["seq"] for message in page] != list(range(before - 50, before)):
                run.faults.append(f"page before {before} of fill-{which} has a hole")
        figures[kind] = {"cpu_us": 1e6 * (server.cpu_s() - began) / count, "p50_us": 1e6 * sorted(waits)[count // 2]}
    return figures


def jam(run):
    """200 MB are published; some subscribers do not read, four do. Beside it the same without those.

    Sixteen jam Callboard, so that a session's share stands out from the journal's own growth; one jams a peer, which
    may keep all of it.
    """
    megabytes = "20" if run.quick else "200"
    args = ["--subs", "4", "--mb", megabytes, "--size", "1024", "--window", "64", "--hold", "1", "--secs", "60"]
    run.once["jam"] = {"mb": int(megabytes), "subjects": {}}
    for name in ["callboard", *run.present(JAMMED)]:
        pair = {}
        jammed = "16" if name == "callboard" else "1"
        for which, slow in (("free", "0"), ("jammed", jammed)):
            if name == "callboard":
                with run.lab.server() as server:
                    one = run.lab.loadgen("jam callboard", "slow", server, ["--url", URL, *FAN, "--slow", slow, *args])
            else:
                one = jammed_peer(run, name, [*args, "--slow", slow])
            if name == "callboard" and one["fast_deliveries"] != one["fast_expected"]:
                run.faults.append(f"jam: {one['fast_deliveries']} of {one['fast_expected']} arrived at those who read")
            keys = ("publish_s", "rss_before_kib", "rss_peak_kib", "series_s_rsskib_mb_fast", "slow")
            pair[which] = {key: one[key] for key in keys}
        run.once["jam"]["subjects"][name] = pair
        grown = {which: one["rss_peak_kib"] - one["rss_before_kib"] for which, one in pair.items()}
        print(f"  jam {name}: grown by {grown} KiB, {pair['free']['publish_s']} s and {pair['jammed']['publish_s']} s", flush=True)


def jammed_peer(run, name, args):
    pid, url = run.lab.start_peer(name)
    try:
        where = ["--sub-url", f"{url}/sub", "--pub-url", f"{url}/pub", "--sub-ready", "ready"]
        if name == "nats":
            where = ["--url", f"{url}/", "--proto", "nats"]
        run.lab.note(f"jam {name}, after: peer start {name}", ["loadgen", "slow", *where, *args, "--pid", "$PID", "--json"])
        return run.lab.result(run.lab.spawn([LOADGEN, "slow", *where, *args, "--pid", str(pid), "--json"]))
    finally:
        run.lab.stop_peer(name)


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    system = f"{platform.system()} {platform.release()}"
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gib": round(memory, 1), "system": system}


def attempt(run, load):
    """One load; one that breaks is a fault of the run, and the others still have their turn."""
    try:
        load(run)
    except Broken as broken:
        run.faults.append(f"{load.__name__}: {broken}")
        print(f"  BROKEN {load.__name__}: {broken}", flush=True)


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--missing", default="")
    asked.add_argument("--results", required=True)
    asked = asked.parse_args()
    began = time.monotonic()
    with Lab() as lab:
        run = Run(lab, asked)
        for number in range(run.rounds):
            print(f"round {number + 1} of {run.rounds}, {time.monotonic() - began:.0f} s", flush=True)
            for load in (chats, fan_outs, tenants):
                attempt(run, load)
        print(f"once, {time.monotonic() - began:.0f} s", flush=True)
        for load in (idle, many, stores, jam):
            attempt(run, load)
        told = {
            "date": time.strftime("%Y-%m-%d"), "machine": machine(), "quick": run.quick, "rounds": run.rounds, "secs": run.secs,
            "took_s": round(time.monotonic() - began), "missing": sorted(run.missing), "faults": run.faults,
            "commands": lab.commands, "loads": run.loads, "once": run.once,
        }
    Path(asked.results).write_text(json.dumps(told, indent=1))
    for fault in run.faults:
        print(f"FAULT {fault}", file=sys.stderr)
    return 3 if run.faults else 0


if __name__ == "__main__":
    sys.exit(main())
