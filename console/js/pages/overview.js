// The house at a glance.
import { api } from "../api.js";
import { duration, number, plural } from "../format.js";
import { useObservable } from "../observable.js";
import { AgentCard } from "../parts/agent-card.js";
import { Feed } from "../parts/feed.js";
import { Plot } from "../parts/plot.js";
import { Empty } from "../parts/pieces.js";
import { link } from "../router.js";
import { agents } from "../state/agents.js";
import { look, pulse, status } from "../state/house.js";
import { html, useEffect, useMemo, useState } from "../ui.js";

const RATE = [
  { label: "answers", tone: "--plot-1", bars: true },
  { label: "errors", tone: "--plot-bad", dash: [4, 3] },
];
const LATENCY = [
  { label: "half within", tone: "--plot-1" },
  { label: "19 of 20 within", tone: "--plot-2", dash: [5, 4] },
];

function Numbers({ now }) {
  const facts = [
    ["Sessions", number(now?.sessions), link("system")],
    ["Conversations in use", number(now?.conversations), link("conversation")],
    ["Channels in use", number(now?.channels), link("channels")],
    ["Open runs", number(now?.open_runs), link("run")],
    ["Up for", duration(now?.uptime), link("system")],
  ];
  return html`<ul class="numbers" aria-label="The server in numbers">
    ${facts.map(([name, value, href]) => html`<li key=${name}><a href=${href}><b>${value}</b><span>${name}</span></a></li>`)}
  </ul>`;
}

const sum = (list) => list.reduce((total, value) => total + value, 0);

function Plots({ beats }) {
  const { rate, latency, said } = useMemo(() => {
    const { answered, failed, median, p95 } = beats;
    const end = Math.floor(Date.parse(beats.at) / beats.step) * beats.step;
    const times = answered.map((_, step) => (end - (answered.length - 1 - step) * beats.step) / 1000);
    const minute = 60_000 / beats.step;
    const perMinute = (list) => list.map((_, step) => sum(list.slice(Math.max(0, step + 1 - minute), step + 1)));
    const last = median.findLast((value) => value !== null);
    const said = {
      rate: `${plural(sum(answered.slice(-minute)), "answer")} in the last minute, ${plural(sum(failed), "error")} in ten.`,
      latency: last === undefined ? "No answer in the last ten minutes." : `The latest answers took about ${duration(last)}.`,
    };
    return { rate: [times, perMinute(answered), perMinute(failed)], latency: [times, median, p95], said };
  }, [beats]);
  return html`<div class="plots">
    <section class="card" aria-labelledby="rate-title"><h2 id="rate-title">Answers a minute</h2>
      <${Plot} data=${rate} series=${RATE} unit=${(value) => number(Math.round(value))} summary=${said.rate} /></section>
    <section class="card" aria-labelledby="latency-title"><h2 id="latency-title">How long answers take</h2>
      <${Plot} data=${latency} series=${LATENCY} unit=${duration} summary=${said.latency} /></section>
  </div>`;
}

function Recent() {
  const [places, setPlaces] = useState({ channels: [], sessions: null });
  useEffect(() => {
    const read = async () => {
      const channels = await api("/channels?limit=8").then((page) => page.channels, () => []);
      const sessions = await api("/sessions?limit=8").then((page) => page.sessions, () => null);
      setPlaces({ channels, sessions });
    };
    read();
    const timer = setInterval(() => document.hidden || read(), 5_000);
    return () => clearInterval(timer);
  }, []);
  return html`<div class="pair">
    <section class="card" aria-labelledby="channels-title"><h2 id="channels-title">Channels</h2>
      ${places.channels.length === 0 && html`<${Empty} title="No channel yet" />`}
      <ul class="rows">${places.channels.map(
        (channel) => html`<li key=${channel.id}><a href=${link("channels", channel.id)}>${channel.name ?? channel.id}</a>
          <span class="side">${plural(channel.head, "message")}</span></li>`,
      )}</ul>
    </section>
    <section class="card" aria-labelledby="sessions-title"><h2 id="sessions-title">Sessions</h2>
      ${places.sessions === null && html`<${Empty} title="Only operators see them">They need the scope admin.<//>`}
      <ul class="rows">${(places.sessions ?? []).map(
        (session) => html`<li key=${session.id}><span>${session.agent ?? session.subject}</span>
          <span class="side">${session.dialect}</span></li>`,
      )}</ul>
    </section>
  </div>`;
}

export function OverviewPage() {
  const list = useObservable(agents);
  const now = useObservable(status);
  const beats = useObservable(pulse);
  useEffect(look, []);
  const beatOf = (agent) => beats?.agents.find((beat) => beat.name === agent.name);
  return html`
    <h1 class="title">Overview</h1>
    <${Numbers} now=${now} />
    <div class="overview">
      <div class="stack">
        <section aria-labelledby="agents-title">
          <h2 id="agents-title" class="section">Agents</h2>
          <ul class="agents">${list.map((agent) => html`<${AgentCard} key=${agent.name} agent=${agent} beat=${beatOf(agent)} />`)}</ul>
        </section>
        ${beats && html`<${Plots} beats=${beats} />`}
        <${Recent} />
      </div>
      <${Feed} />
    </div>
  `;
}
