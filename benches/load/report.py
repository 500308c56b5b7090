"""Writes performance.md and its plots from what measure.py found. Every figure here was measured; none is written by hand."""

import argparse
import json
from pathlib import Path
from statistics import median

import plot

CPU, RATE = "server_cpu_us_per_msg", "msgs_per_s"
FLOOR, SHARDED = "actix", "actix-sharded"

LOADS = {
    "chat": ("Round trips: 64 sessions, 4 in flight each, 256 B", "A chat with the agent `echo`: both records are synced before the answer leaves. The peers send the message back and keep nothing."),
    "status": ("Request and answer without the journal", "`status` of document 002, 64 sessions, 4 in flight. Compare with the peers' round trips above."),
    "open": ("Open loop at half the rate that each reached", "Sent on schedule, whether or not answers came: 64 sessions, 256 B."),
    "fan-1000": ("Fan-out to 1,000", "One publisher, 8 publications in flight, 256 B; figures are per delivery. Callboard has each publication on disk before anybody gets it."),
    "fan-1000-003": ("Fan-out to 1,000 through document 003", "With tokens, an acknowledgement for each publication, and a copy for the publisher."),
    "fan-100": ("Fan-out to 100", "One publisher, 64 publications in flight, 256 B."),
    "fan-100-003": ("Fan-out to 100 through document 003", "As above."),
    "paced": ("100 publications a second to 100 subscribers", "The latency is from the publisher's sending to the subscriber's reading."),
    "tenants": ("Many agents and tenants", "Round trips with the brain `echo` from as many load generators at once in both lines, each with one session, two in flight, and a token."),
}


class Told:
    """The results, asked in the ways that a report asks."""

    def __init__(self, results):
        self.all, self.loads, self.once = results, results["loads"], results["once"]

    def spread(self, load, subject, figure):
        """Median, least and most of the rounds; nothing where nothing was measured."""
        found = [dig(one, figure) for one in self.loads.get(load, {}).get(subject, [])]
        found = [one for one in found if one is not None]
        return (median(found), min(found), max(found)) if found else None

    def rate(self, load, subject):
        return self.spread(load, subject, RATE) or self.spread(load, subject, "deliveries_per_s")

    def ratio(self, load, subject, figure, other_load=None):
        """Ours over a peer's, medians."""
        ours, theirs = self.spread(load, "callboard", figure), self.spread(other_load or load, subject, figure)
        return ours[0] / theirs[0] if ours and theirs and theirs[0] else None


def dig(one, path):
    for word in path.split("."):
        one = one.get(word) if isinstance(one, dict) else None
    return one


def number(value):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def between(spread):
    return f"{number(spread[0])} ({number(spread[1])}–{number(spread[2])})" if spread else "–"


def times(value):
    return "–" if value is None else f"{value:.2f} ×"


def verdict(*reached):
    if None in reached:
        return "not measured"
    return "reached" if all(reached) else "**not reached**"


def at_most(value, bound):
    return None if value is None else value <= bound


def goals(told):
    """Rows: work, goal, figure, beside the peers, reached or not."""
    rows = []
    chat = told.spread("chat", "callboard", CPU)
    beside = ", ".join(f"{name} {times(told.ratio('chat', name, CPU))}" for name in told.loads.get("chat", {}) if name != "callboard")
    rows.append(("chat round trip, two records synced", "≤ 20 µs", f"{between(chat)} µs", beside, verdict(at_most(chat and chat[0], 20))))
    for subs, bound in ((1000, 1.2), (100, 1.3)):
        load = f"fan-{subs}"
        floor, nats = told.ratio(load, SHARDED, CPU), told.ratio(load, "nats", CPU)
        reached = [at_most(floor, bound)] + ([at_most(nats, 1)] if subs == 1000 else [])
        goal = f"≤ {bound} × sharded floor" + (", below nats" if subs == 1000 else "")
        rows.append((f"fan-out to {subs:,}, durable", goal, f"{between(told.spread(load, 'callboard', CPU))} µs a delivery", f"sharded floor {times(floor)}, nats {times(nats)}", verdict(*reached)))
    status = told.rate("status", "callboard")
    floor, nats = (told.rate("chat", name) for name in (FLOOR, "nats"))
    floor, nats = (status[0] / one[0] if status and one else None for one in (floor, nats))
    rows.append(("`status`, 64 sessions", "rate ≥ 0.8 × floor, ≥ 1.2 × nats", f"{between(status)}/s, {between(told.spread('status', 'callboard', CPU))} µs", f"rate: floor {times(floor)}, nats {times(nats)}; CPU: floor {times(told.ratio('status', FLOOR, CPU, 'chat'))}, nats {times(told.ratio('status', 'nats', CPU, 'chat'))}", verdict(floor and floor >= 0.8, nats and nats >= 1.2)))
    p99, nats = told.spread("paced", "callboard", "latency.p99_us"), told.ratio("paced", "nats", CPU)
    rows.append(("100 publications/s → 100", "CPU ≤ 0.55 × nats, p99 ≤ 2 ms", f"{between(told.spread('paced', 'callboard', CPU))} µs, p99 {between(milli(p99))} ms", f"CPU: nats {times(nats)}", verdict(at_most(nats, 0.55), at_most(p99 and p99[0], 2000))))
    rows += [idle_row(told), *many_rows(told), *store_rows(told), open_row(told), *jam_rows(told), tenants_row(told)]
    return [row for row in rows if row]


def milli(spread):
    return spread and tuple(one / 1000 for one in spread)


def idle_row(told):
    ours = told.spread("idle", "callboard", "kib_per_conn")
    beside = ", ".join(f"{name} {number(told.spread('idle', name, 'kib_per_conn')[0])}" for name in told.loads.get("idle", {}) if name != "callboard")
    return "idle session", "≤ 14 KiB", f"{number(ours and ours[0])} KiB", f"KiB: {beside}", verdict(at_most(ours and ours[0], 14))


def many_rows(told):
    many = told.once.get("many")
    if not many:
        return []
    work = f"{many['conversations']:,} conversations and {many['channels']:,} channels, idle again"
    before, during, after = many["before"], many["during"], many["after"]
    memory = f"memory {before['rss_kib'] / 1024:.0f} → {during['rss_kib'] / 1024:.0f} → {after['rss_kib'] / 1024:.0f} MiB"
    figure = f"{memory}; CPU at rest {before['cpu_pct']:.2f} → {after['cpu_pct']:.2f} % of a core; {during['in_use']:,} → {after['in_use']:,} in memory"
    returned = (during["rss_kib"] - after["rss_kib"]) / max(1, during["rss_kib"] - before["rss_kib"])
    rest = after["cpu_pct"] <= before["cpu_pct"] + 0.5
    return [(work, "what is idle costs nothing; memory returns", figure, f"{100 * returned:.0f} % of the growth came back", verdict(after["in_use"] == 0 and rest, returned >= 0.5))]


def store_rows(told):
    page, ready, rows = told.once.get("page"), told.once.get("ready"), []
    for kind in ("last", "random") if page else ():
        cpu, p50 = ([median(one[kind][what] for one in page[size]) for size in ("large", "small")] for what in ("cpu_us", "p50_us"))
        where = "the last page of 50" if kind == "last" else "a page of 50 at a random place"
        work = f"{where}, over HTTP, in {page['large_records']:,} records against {page['small_records']:,}"
        figure = f"CPU {cpu[0]:.0f} against {cpu[1]:.0f} µs, p50 {p50[0]:.0f} against {p50[1]:.0f} µs"
        ratios = [cpu[0] / cpu[1], p50[0] / p50[1]]
        rows.append((work, "ratio ≤ 1.5", figure, f"{ratios[0]:.2f} × and {ratios[1]:.2f} ×", verdict(max(ratios) <= 1.5)))
    if ready:
        empty, again = ready["empty"], ready["large"]["again"]
        spread = lambda found: between((median(found), min(found), max(found)))
        figure = f"{spread(empty)} s / {spread(again)} s; first opening after filling {ready['large']['first']:.2f} s"
        rows.append((f"ready: empty / {page['large_records']:,} records" if page else "ready", "≤ 0.15 s / ≤ 1 s", figure, "–", verdict(median(empty) <= 0.15, median(again) <= 1)))
    return rows


def open_row(told):
    p99 = milli(told.spread("open", "callboard", "latency.p99_us"))
    beside = ", ".join(f"{name} {number(milli(told.spread('open', name, 'latency.p99_us'))[0])}" for name in told.loads.get("open", {}) if name != "callboard")
    return "open loop at half the rate, durable chat", "p99 ≤ 5 ms", f"p99 {between(p99)} ms", f"p99 in ms: {beside}", verdict(at_most(p99 and p99[0], 5))


def jam_rows(told):
    jam = told.once.get("jam")
    if not jam:
        return []
    growth, speed = {}, {}
    for name, pair in jam["subjects"].items():
        grown = {which: one["rss_peak_kib"] - one["rss_before_kib"] for which, one in pair.items()}
        growth[name] = (grown["jammed"] - grown["free"]) / 1024 / len(pair["jammed"]["slow"])
        seconds = [pair[which]["publish_s"] for which in ("free", "jammed")]
        # Without a time, not everything could be published within a minute.
        speed[name] = seconds[0] / seconds[1] if all(seconds) else None
    said = lambda table: ", ".join(f"{name} {number(value)}" for name, value in table.items() if name != "callboard")
    count = len(jam["subjects"]["callboard"]["jammed"]["slow"])
    work = f"{count} jammed readers (a peer has one) while {jam['mb']} MB are published"
    # Where the run without jammed readers grew more than the one with them, the difference is the journal's and says
    # nothing of the readers.
    told_apart = growth["callboard"] >= 0
    reached = verdict(growth["callboard"] <= 1 if told_apart else None, speed["callboard"] and speed["callboard"] >= 0.9)
    figure = f"{growth['callboard']:.2f} MiB a jammed session; the others at {number(speed['callboard'])} of their speed"
    return [(work, "≤ 1 MiB a session, others ≥ 0.9 of their speed", figure, f"MiB: {said(growth)}; speed: {said(speed)}", reached)]


def tenants_row(told):
    subjects = list(told.loads.get("tenants", {}))
    if len(subjects) < 2:
        return None
    few, lots = (told.spread("tenants", name, CPU) for name in subjects)
    ratio = lots[0] / few[0]
    return subjects[1], "CPU ≤ 1.2 × 3 agents, 1 tenant", f"{between(lots)} µs against {between(few)} µs", times(ratio), verdict(ratio <= 1.2)


def table(head, rows):
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]


def load_section(told, load):
    subjects = told.loads.get(load)
    if not subjects:
        return []
    rows = []
    for name in subjects:
        p99 = milli(told.spread(load, name, "latency.p99_us"))
        beside = told.spread(load, name, "other_cpu_pct")
        rows.append([name, between(told.spread(load, name, CPU)), between(told.rate(load, name)), between(p99), number(beside and beside[0])])
    title, words = LOADS[load]
    head = ["", "CPU µs each", "each second", "p99 ms", "others' CPU %"]
    return [f"### {title}", "", words, "", *table(head, rows), ""]


def plots(told, folder):
    """Writes them; answers the lines that show them."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = []

    def save(name, title, svg):
        (folder / f"{name}.svg").write_text(svg)
        shown.append(f"![{title}](performance/{name}.svg)")

    for load, title in (("chat", "Round trip, CPU of the server; only Callboard's is durable"), ("fan-1000", "A delivery to one of 1,000, CPU of the server"), ("fan-100", "A delivery to one of 100, CPU of the server"), ("paced", "A delivery at 100 publications a second, CPU of the server")):
        rows = [(name, *told.spread(load, name, CPU)) for name in told.loads.get(load, {})]
        if load == "chat" and "status" in told.loads:
            rows.insert(1, ("callboard status", *told.spread("status", "callboard", CPU)))
        if rows:
            save(load, title, plot.bars(title, "µs", rows))
    rows = [(name, *told.spread("idle", name, "kib_per_conn")) for name in told.loads.get("idle", {})]
    if rows:
        save("idle", "Memory of an idle session", plot.bars("Memory of an idle session", "KiB", rows))
    if "jam" in told.once:
        title = f"Memory while {told.once['jam']['mb']} MB are published past a reader that does not read"
        series = {name: [(point[0], (point[1] - pair["jammed"]["rss_before_kib"]) / 1024) for point in pair["jammed"]["series_s_rsskib_mb_fast"]] for name, pair in told.once["jam"]["subjects"].items()}
        save("jam", title, plot.lines(title, "s", "MiB", series))
    return shown


def write(told, out):
    all_, machine = told.all, told.all["machine"]
    where = f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}"
    lines = [
        "# Performance", "",
        "Written by `benches/load/run`, which measures Callboard and its peers in turn, each started afresh for each load.",
        "**CPU of the server's process for each message or delivery is the figure**; what was reached each second stands beside it.", "",
        f"{all_['date']} · {where} · {all_['rounds']} rounds of {all_['secs']} s a load: median (least–most) · {all_['took_s']} s in all.",
        "Generator, server and whatever else the machine did share the cores; `others' CPU` says how much of 100 % a core somebody else took.",
        "Durability is on: nothing of Callboard's is acknowledged or delivered before it is on disk. No peer keeps anything.", "",
    ]
    if all_["missing"]:
        lines += [f"Could not be set up here, and is left out: {', '.join(all_['missing'])}.", ""]
    lines += [f"Faults: {'; '.join(all_['faults'])}." if all_["faults"] else "Nothing was lost, doubled or out of order in any load.", ""]
    head = ["work", "goal", "Callboard", "beside the peers (Callboard ÷ peer)", ""]
    lines += ["## Goals", "", *table(head, goals(told)), "", "## Plots", ""]
    lines += [line for shown in plots(told, out / "performance") for line in (shown, "")]
    lines += ["## Loads", ""]
    for load in LOADS:
        lines += load_section(told, load)
    lines += [
        "## Commands", "", "All of it: `benches/load/run`. One load: start the server, then what stands here; `loadgen` and `peer` are the",
        "programs in `$CALLBOARD_TOOLS`, `$PID` is the server's process, `$TOKEN` what `callboard token` prints. Pages are read and",
        "starts are timed by `stores` in `benches/load/measure.py`, over a store that `fill` filled.", "",
        "```sh", "callboard serve --config benches/load/callboard.toml --bind 127.0.0.1:3911 --data-dir $(mktemp -d) &",
        *(line for name, command in all_["commands"].items() for line in (f"# {name}", command)), "```", "",
    ]
    (out / "performance.md").write_text("\n".join(lines))


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("--results", required=True)
    asked.add_argument("--out", required=True)
    asked = asked.parse_args()
    out = Path(asked.out)
    out.mkdir(parents=True, exist_ok=True)
    write(Told(json.loads(Path(asked.results).read_text())), out)


if __name__ == "__main__":
    main()
