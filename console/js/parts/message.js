// What somebody said, and how an agent came to say it.
import { api, part } from "../api.js";
import { clock, shown } from "../format.js";
import { link } from "../router.js";
import { runOf } from "../state/conversation.js";
import { html, useState } from "../ui.js";
import { Avatar } from "./pieces.js";

/** Text with its code set apart. */
export function Prose({ text }) {
  const pieces = text.split(/```[^\n]*\n?/);
  return pieces.map((piece, at) => {
    if (at % 2) return html`<pre tabindex="0"><code>${piece.replace(/\n$/, "")}</code></pre>`;
    return piece.trim() && html`<p class="prose">${piece.trim()}</p>`;
  });
}

export function Steps({ steps }) {
  return html`<ol class="steps">
    ${steps.map((step, at) => {
      const failed = step.ok === false;
      return html`<li key=${at} class=${failed ? "bad" : step.kind}>
        <span class="kind">${step.kind === "action" ? "did" : "thought"}</span>
        ${step.tool && html`<code class="tool">${step.tool}</code>`}
        <span class="what">${step.content}</span>
        ${step.arguments !== undefined && html`<pre tabindex="0">${shown(step.arguments)}</pre>`}
      </li>`;
    })}
  </ol>`;
}

function Trace({ run, known }) {
  const [steps, setSteps] = useState(null);
  const [error, setError] = useState("");
  const open = (event) => {
    if (!event.currentTarget.open || steps) return;
    api(`/runs/${part(run)}`).then(
      (report) => setSteps(report.steps.filter((step) => step.kind !== "answer")),
      (reason) => (known ? setSteps(known) : setError(reason.message)),
    );
  };
  return html`<details class="trace" onToggle=${open}>
    <summary>How it came about</summary>
    ${steps && (steps.length ? html`<${Steps} steps=${steps} />` : html`<p class="note">It answered at once.</p>`)}
    ${error && html`<p class="bad">${error}</p>`}
    <a href=${link("run", run)}>The whole run</a>
  </details>`;
}

export function Message({ message, trace }) {
  const { role, agent, content, created_at: at } = message;
  if (role === "system") return html`<li class="aside"><p>${content}</p><time datetime=${at}>${clock(at)}</time></li>`;
  const who = role === "user" ? "You or another person" : agent ?? role;
  const run = role === "assistant" ? runOf(message) : "";
  return html`<li class=${`message ${role}`}>
    ${role !== "user" && html`<${Avatar} name=${who} />`}
    <article aria-label=${who}>
      <header>${role !== "user" && html`<b>${who}</b>`}<time datetime=${at}>${clock(at)}</time></header>
      <${Prose} text=${content} />
      ${run && html`<${Trace} run=${run} known=${trace} />`}
    </article>
  </li>`;
}

/** A question on its way. */
export function Pending({ question, conversation }) {
  return html`<li class="message user pending">
    <article aria-label="Your question">
      <header><span>${question.failed ? "not asked" : "on its way"}</span></header>
      <${Prose} text=${question.content} />
      ${question.failed &&
      html`<p class="bad" role="alert">${question.failed}</p>
        <p class="actions">
          <button class="small" onClick=${() => conversation.again(question)}>Send again</button>
          <button class="small plain" onClick=${() => conversation.forget(question)}>Drop it</button>
        </p>`}
    </article>
  </li>`;
}
