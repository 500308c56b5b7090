// The server itself: health, limits, journal, configuration, sessions.
import { api } from "../api.js";
import { ago, bytes, duration, number, shown } from "../format.js";
import { useObservable } from "../observable.js";
import { Empty, Pill } from "../parts/pieces.js";
import { look, status } from "../state/house.js";
import { opened } from "../socket.js";
import { html, useEffect, useState } from "../ui.js";

/** What one of these can be read is told beside its page; `null`: not yet, text: why not. */
function useResource(path) {
  const [state, setState] = useState({ value: null, error: "" });
  useEffect(() => opened(() => api(path).then((value) => setState({ value, error: "" }), (why) => setState({ value: null, error: why.message }))), [path]);
  return state;
}

function Health({ now }) {
  const ready = useHealth();
  const store = now?.journal.health;
  const rows = [
    ["Process", html`<${Pill} tone="good">live<//>`],
    ["Requests", html`<${Pill} tone=${ready.ok ? "good" : "bad"}>${ready.ok ? "taken" : ready.reason}<//>`],
    ["Journal", html`<${Pill} tone=${store === "ready" ? "good" : "bad"}>${store ?? "…"}<//>`],
    ["On disk", bytes(now?.journal.bytes)],
    ["Records", number(now?.journal.records)],
    ["Version", now?.version ?? "…"],
    ["Up for", duration(now?.uptime)],
    ["Open runs", number(now?.open_runs)],
  ];
  return html`<section class="card" aria-labelledby="health-title"><h2 id="health-title">Health and journal</h2>
    <dl class="facts">${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

function useHealth() {
  const [health, setHealth] = useState({ ok: true, reason: "" });
  useEffect(() => {
    const read = () =>
      api("/health/ready").then(() => setHealth({ ok: true, reason: "" }), (why) => setHealth({ ok: false, reason: why.message }));
    read();
    const timer = setInterval(read, 5_000);
    return () => clearInterval(timer);
  }, []);
  return health;
}

const word = (name) => name.replaceAll("_", " ");

function value(setting) {
  if (Array.isArray(setting)) return setting.length ? setting.map(shown).join(", ") : "none";
  if (setting === "") return "not set";
  if (typeof setting === "number") return number(setting);
  return typeof setting === "boolean" ? (setting ? "yes" : "no") : shown(setting);
}

function Section({ name, settings, title }) {
  const id = `section-${name}`;
  return html`<section class="card" aria-labelledby=${id}><h2 id=${id}>${title ?? name}</h2>
    <dl class="settings">${Object.entries(settings).map(
      ([key, setting]) => html`<div key=${key}><dt>${word(key)}</dt><dd>${value(setting)}</dd></div>`,
    )}</dl></section>`;
}

function Sessions() {
  const { value: page, error } = useResource("/sessions?limit=100");
  const sessions = page?.sessions ?? [];
  return html`<section class="card" aria-labelledby="sessions-title"><h2 id="sessions-title">Sessions</h2>
    ${error
      ? html`<${Empty} title="Not for these credentials">${error}<//>`
      : html`<div class="wide-table" tabindex="0" role="region" aria-label="Sessions"><table>
          <thead><tr><th scope="col">Number</th><th scope="col">Who</th><th scope="col">Dialect</th><th scope="col">Since</th></tr></thead>
          <tbody>${sessions.map(
            (one) => html`<tr key=${one.id}><td>${one.id}</td><td>${one.agent ?? one.subject}</td><td>${one.dialect}</td>
              <td><time datetime=${one.connected_at}>${ago(one.connected_at)}</time></td></tr>`,
          )}</tbody></table></div>`}
  </section>`;
}

const FIRST = { limits: "Limits", rate: "Rates" };

export function SystemPage() {
  const now = useObservable(status);
  const { value: settings, error } = useResource("/settings");
  useEffect(look, []);
  const sections = Object.entries(settings ?? {});
  const rank = ([name]) => (name in FIRST ? 0 : 1);
  return html`<h1 class="title">System</h1>
    <div class="system">
      <${Health} now=${now} />
      <${Sessions} />
      ${error && html`<section class="card"><h2>Configuration</h2><${Empty} title="Not for these credentials">${error}<//></section>`}
      ${sections.toSorted((one, other) => rank(one) - rank(other)).map(
        ([name, values]) => html`<${Section} key=${name} name=${name} title=${FIRST[name] ?? `Configuration: ${name}`} settings=${values} />`,
      )}
    </div>`;
}
