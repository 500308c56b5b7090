// A run under way: its steps and its answer as they come, what it waits for, and how to end it.
import { clock, shown } from "../format.js";
import { link } from "../router.js";
import { html, useState } from "../ui.js";
import { Prose, Steps } from "./message.js";
import { Avatar, Pill, statusWord, TONES } from "./pieces.js";

const ENDED = ["failed", "cancelled", "timeout"];

function Approval({ run, decide }) {
  const [reason, setReason] = useState("");
  const { calls, expiresAt } = run.approval;
  const field = `reason-${run.id}`;
  return html`<section class="approval" aria-label=${`${run.agent} asks for approval`}>
    <p><b>${run.agent}</b> asks to be allowed, until ${clock(expiresAt)}:</p>
    <ul>${calls.map(
      (call, at) => html`<li key=${at}><code class="tool">${call.tool}</code> ${call.intent}
        <pre tabindex="0">${shown(call.arguments)}</pre></li>`,
    )}</ul>
    <label for=${field}>Reason, if there is one to give</label>
    <input id=${field} value=${reason} maxlength="500" onInput=${(event) => setReason(event.target.value)} />
    <p class="actions">
      <button class="primary" onClick=${() => decide(true, reason)}>Approve</button>
      <button class="danger" onClick=${() => decide(false, reason)}>Reject</button>
    </p>
  </section>`;
}

export function Working({ run, work }) {
  const [problem, setProblem] = useState("");
  const over = ENDED.includes(run.status);
  const attempt = (promise) => promise.catch((error) => setProblem(error.message));
  const label = over ? `${run.agent}: ${statusWord(run.status)}` : `${run.agent} is at work`;
  return html`<li class=${`message assistant working ${over ? "over" : ""}`}>
    <${Avatar} name=${run.agent} />
    <article aria-label=${label} aria-busy=${!over}>
      <header><b>${run.agent}</b> <${Pill} tone=${TONES[run.status]}>${statusWord(run.status)}<//>
        <a class="side" href=${link("run", run.id)}>run</a></header>
      ${run.steps.length > 0 && html`<${Steps} steps=${run.steps} />`}
      ${run.text && html`<${Prose} text=${run.text} />`}
      ${!over && !run.text && !run.approval && html`<p class="dots" aria-hidden="true"><i></i><i></i><i></i></p>`}
      ${run.approval && html`<${Approval} run=${run} decide=${(approve, reason) => attempt(work.decide(run.id, approve, reason))} />`}
      ${run.error && html`<p class="bad">${run.error.message}${run.error.details ? `: ${run.error.details}` : ""}</p>`}
      ${problem && html`<p class="bad" role="alert">${problem}</p>`}
      <p class="actions">
        ${over
          ? html`<button class="small plain" onClick=${() => work.dismiss(run.id)}>Dismiss</button>`
          : html`<button class="small" onClick=${() => attempt(work.cancel(run.id))}>Cancel</button>`}
      </p>
    </article>
  </li>`;
}
