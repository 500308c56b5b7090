// Runs: those under way, those that were heard of, and all that a conversation ever asked for.
import { api, part } from "../api.js";
import { ago, duration, number } from "../format.js";
import { gathered } from "../gathered.js";
import { useObservable } from "../observable.js";
import { Avatar, Empty, Pill, Problem, statusWord, TONES } from "../parts/pieces.js";
import { go, link } from "../router.js";
import { heardRuns } from "../state/feed.js";
import { listen, opened } from "../socket.js";
import { html, useCallback, useEffect, useState } from "../ui.js";

function Find() {
  const [id, setId] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (id.trim()) go("run", id.trim());
  };
  return html`<form class="card find" onSubmit=${submit}><label for="run-id">Show a run by its id</label>
    <div class="row"><input id="run-id" placeholder="run-…" value=${id} onInput=${(event) => setId(event.target.value)} />
    <button class="primary">Show</button></div></form>`;
}

function Row({ run, children }) {
  return html`<li><a href=${link("run", run.id)}><${Avatar} name=${run.agent} small /><b>${run.agent}</b>${children}</a>
    <${Pill} tone=${TONES[run.status]}>${statusWord(run.status)}<//></li>`;
}

function useOpen() {
  const [open, setOpen] = useState([]);
  useEffect(() => {
    const read = () => api("/runs").then((page) => setOpen(page.runs), () => {});
    const end = opened(read);
    const timer = setInterval(read, 3_000);
    return () => {
      end();
      clearInterval(timer);
    };
  }, []);
  return open;
}

/** A page before what is known: the newest ones take their places, older ones stay unless there may be others between. */
function refreshed({ runs, next }, page) {
  const fresh = new Set(page.runs.map((run) => run.id));
  const older = runs?.some((run) => fresh.has(run.id)) ? runs.filter((run) => !fresh.has(run.id)) : [];
  return { runs: [...page.runs, ...older], next: older.length ? next : page.next_before, error: "" };
}

/** The runs of a conversation, newest first, as they begin and end. */
function useRunsOf(conversation) {
  const [list, setList] = useState({ runs: null, next: null, error: "" });
  const read = useCallback(async (before) => {
    try {
      const page = await api(`/conversations/${part(conversation)}/runs${before ? `?before=${part(before)}` : ""}`);
      setList((list) => (before ? { runs: [...list.runs, ...page.runs], next: page.next_before, error: "" } : refreshed(list, page)));
    } catch (error) {
      setList((list) => ({ ...list, error: error.message }));
    }
  }, [conversation]);
  useEffect(() => {
    const soon = gathered(() => read());
    const mine = ({ eventType, conversationId }) => eventType === "run_status" && conversationId === conversation;
    const ends = [soon.end, opened(() => read()), listen(({ type, data }) => type === "event" && mine(data) && soon.call())];
    return () => ends.forEach((end) => end());
  }, [read]);
  return { ...list, more: () => read(list.next) };
}

/** How long a run took and what it used, as far as it is known. */
function facts(run) {
  const took = run.started_at && run.ended_at ? [`took ${duration(Date.parse(run.ended_at) - Date.parse(run.started_at))}`] : [];
  const tokens = run.tokens ? [`${number(run.tokens.input + run.tokens.output)} tokens`] : [];
  return [...took, ...tokens, ...(run.error ? [run.error.message] : [])].join(" · ");
}

function RunsOf({ conversation }) {
  const { runs, next, error, more } = useRunsOf(conversation);
  return html`<${Problem} text=${error} />
    ${runs && html`<ul class="rows runs" aria-label=${`Runs of ${conversation}`}>
      ${runs.map((run) => html`<${Row} key=${run.id} run=${run}><span>${run.id}</span><span>${ago(run.created_at)}</span><span>${facts(run)}</span><//>`)}</ul>`}
    ${runs?.length === 0 && html`<${Empty} title="Nothing was asked there yet" />`}
    ${next && html`<button class="small" onClick=${more}>Earlier runs</button>`}`;
}

/** Conversations to choose from; one that is not among them is reached by its name. */
const CHOICES = 1000;

function Past({ conversation }) {
  const [known, setKnown] = useState([]);
  const [chosen, setChosen] = useState(conversation);
  useEffect(() => setChosen(conversation), [conversation]);
  useEffect(() => opened(() => api(`/conversations?limit=${CHOICES}`).then((page) => setKnown(page.conversations), () => {})), []);
  const names = known.toSorted((one, other) => other.updated_at.localeCompare(one.updated_at)).map((one) => one.id);
  if (conversation && !names.includes(conversation)) names.unshift(conversation);
  const submit = (event) => {
    event.preventDefault();
    if (chosen) go("runs", chosen);
  };
  return html`<section class="card" aria-labelledby="past-title"><h2 id="past-title">All runs of a conversation</h2>
    <form class="find" onSubmit=${submit}><label for="runs-of">Conversation</label>
      <div class="row"><select id="runs-of" required value=${chosen} onChange=${(event) => setChosen(event.target.value)}>
        <option value="">Choose one</option>
        ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select><button>List</button></div></form>
    ${conversation && html`<${RunsOf} key=${conversation} conversation=${conversation} />`}</section>`;
}

export function RunsPage({ of = "" }) {
  const heard = useObservable(heardRuns);
  const open = useOpen();
  const past = heard.filter((run) => !open.some((one) => one.id === run.id));
  return html`<h1 class="title">Runs</h1>
    <section class="card" aria-labelledby="open-title"><h2 id="open-title">Under way</h2>
      ${open.length === 0 && html`<${Empty} title="Nothing is under way" />`}
      <ul class="rows runs">${open.map((run) => html`<${Row} key=${run.id} run=${run}><span>${run.conversation_id}</span><span>${ago(run.created_at)}</span><//>`)}</ul></section>
    <${Past} conversation=${of} />
    <section class="card" aria-labelledby="heard-title"><h2 id="heard-title">Ended since this page was opened</h2>
      ${past.length === 0 && html`<${Empty} title="No run has ended since" />`}
      <ul class="rows runs">${past.map((run) => html`<${Row} key=${run.id} run=${run}><span>${run.conversation}</span><span>${ago(run.at)}</span><//>`)}</ul></section>
    <${Find} />`;
}
