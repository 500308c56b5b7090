// One run: its timeline, what it used, what it waits for.
import { api, part } from "../api.js";
import { clock, duration, number } from "../format.js";
import { Avatar, Pill, Problem, statusWord, TONES } from "../parts/pieces.js";
import { Timeline } from "../parts/timeline.js";
import { link } from "../router.js";
import { listen, opened } from "../socket.js";
import { html, useCallback, useEffect, useState } from "../ui.js";
import { RunsPage } from "./runs.js";

function useRun(id) {
  const [state, setState] = useState({ run: null, record: null, error: "", now: Date.now() });
  const read = useCallback(async () => {
    try {
      const run = await api(`/runs/${part(id)}`);
      setState((before) => ({ ...before, run, error: "", now: Date.now() }));
    } catch (error) {
      setState((before) => ({ ...before, error: error.message }));
    }
  }, [id]);
  useEffect(() => {
    const ends = [opened(read), listen(({ type, data }) => type === "event" && data.runId === id && read())];
    return () => ends.forEach((end) => end());
  }, [read]);
  const open = state.run && !state.run.ended_at;
  const status = state.run?.status;
  useEffect(() => {
    // The record holds all that the run was told: it is read at its turns alone.
    if (status) api(`/runs/${part(id)}/record`).then((record) => setState((before) => ({ ...before, record })), () => {});
  }, [status]);
  useEffect(() => {
    if (!open) return undefined;
    const timer = setInterval(read, 1_000);
    return () => clearInterval(timer);
  }, [open, read]);
  return { ...state, read };
}

/** What the record says about tokens and times. */
function measured({ tokens, timings }) {
  const read = tokens.input + tokens.output;
  const facts = read ? [["Tokens read", number(tokens.input)], ["Tokens written", number(tokens.output)]] : [["Tokens", "no model was asked"]];
  const waits = [["With the model", timings.model_ms], ["In tools", timings.tool_ms], ["For approval", timings.approval_ms]];
  return [...facts, ...waits.filter(([, ms]) => ms > 0).map(([name, ms]) => [name, duration(ms)])];
}

function Facts({ run, record, now }) {
  const end = run.ended_at ? Date.parse(run.ended_at) : now;
  const facts = [
    ["Asked", clock(run.created_at)],
    ["Waited", run.started_at ? duration(Date.parse(run.started_at) - Date.parse(run.created_at)) : "still waiting"],
    ["Worked", run.started_at ? duration(end - Date.parse(run.started_at)) : "–"],
    ["Steps", number(run.steps.length)],
    ["Tools", [...new Set(run.steps.map((step) => step.tool).filter(Boolean))].join(", ") || "none"],
    ...(record ? measured(record) : []),
    ["Kind", run.kind],
  ];
  return html`<dl class="card facts wide">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function OneRun({ id }) {
  const { run, record, error, now, read } = useRun(id);
  const [problem, setProblem] = useState("");
  const [reason, setReason] = useState("");
  const attempt = (promise) => promise.then(read, (why) => setProblem(why.message));
  const decide = (decision) => attempt(api(`/runs/${part(id)}/approval`, { method: "POST", body: { decision, reason } }));
  if (!run) return html`<h1 class="title">Run</h1><${Problem} text=${error} />`;
  return html`
    <p class="crumbs"><a href=${link("run")}>Runs</a> › <a href=${link("runs", run.conversation_id)}>${run.conversation_id}</a></p>
    <header class="head run-head">
      <h1 class="title"><${Avatar} name=${run.agent} /> ${run.agent} <small>${run.id}</small></h1>
      <${Pill} tone=${TONES[run.status]}>${statusWord(run.status)}<//>
      <a class="button small" href=${link("conversation", run.conversation_id)}>The conversation</a>
      ${!run.ended_at && html`<button class="small" onClick=${() => attempt(api(`/runs/${part(id)}`, { method: "DELETE" }))}>Cancel</button>`}
    </header>
    <${Problem} text=${problem || error} />
    ${run.status === "input_required" &&
    html`<section class="card approval" aria-label="Approval">
      <p>${run.agent} waits for somebody to decide${run.approval ? `, until ${clock(run.approval.expires_at)}` : ""}.</p>
      <label for="why">Reason, if there is one to give</label>
      <input id="why" value=${reason} maxlength="500" onInput=${(event) => setReason(event.target.value)} />
      <p class="actions"><button class="primary" onClick=${() => decide("approve")}>Approve</button>
        <button class="danger" onClick=${() => decide("reject")}>Reject</button></p>
    </section>`}
    ${run.error && html`<section class="card bad-card"><h2>Why there is no answer</h2><p>${run.error.message}${run.error.details ? `: ${run.error.details}` : ""}</p></section>`}
    <${Facts} run=${run} record=${record} now=${now} />
    <${Timeline} run=${run} now=${now} />
  `;
}

/** One run, or all of them: those of the conversation `of`, if one is named. */
export function RunPage({ id, of }) {
  return id ? html`<${OneRun} key=${id} id=${id} />` : html`<${RunsPage} of=${of} />`;
}
