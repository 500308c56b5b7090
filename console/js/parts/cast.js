// Who takes part in a conversation, who answers, and handing it over.
import { useObservable } from "../observable.js";
import { agents } from "../state/agents.js";
import { link } from "../router.js";
import { html, useState } from "../ui.js";
import { Avatar, Pill, Problem } from "./pieces.js";

export const MODES = [
  ["lead", "The lead"],
  ["all", "Everybody in turn"],
  ["auto", "Whoever fits best"],
];

function HandOver({ from, to, hand, leave }) {
  const [reason, setReason] = useState("");
  const submit = (event) => {
    event.preventDefault();
    hand(reason);
  };
  return html`<form class="handover" onSubmit=${submit}>
    <label for="reason">Why ${from} hands over to ${to}</label>
    <input id="reason" value=${reason} maxlength="500" onInput=${(event) => setReason(event.target.value)} />
    <p class="actions"><button class="primary small">Hand over</button>
      <button type="button" class="small plain" onClick=${leave}>Leave it</button></p>
  </form>`;
}

function Share({ conversation }) {
  const [said, setSaid] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setSaid("The link is in the clipboard");
    } catch {
      setSaid(location.href);
    }
  };
  return html`<div class="share"><button class="small" onClick=${copy}>Copy the link</button>
    <a class="button small" href=${link("runs", conversation)}>All its runs</a>
    <p role="status" class="note">${said}</p></div>`;
}

export function Cast({ conversation, view }) {
  const known = useObservable(agents);
  const [to, setTo] = useState("");
  const [problem, setProblem] = useState("");
  const attempt = async (promise) => {
    setProblem("");
    try {
      await promise;
      setTo("");
    } catch (error) {
      setProblem(error.message);
    }
  };
  const others = known.map((agent) => agent.name).filter((name) => !view.agents.includes(name));
  return html`<section class="cast" aria-labelledby="cast-title">
    <h2 id="cast-title">Taking part</h2>
    <ul class="people">
      ${view.agents.map(
        (name) => html`<li key=${name}>
          <${Avatar} name=${name} small /> <span class="name">${name}</span>
          ${name === view.lead
            ? html`<${Pill} tone="busy">leads<//>`
            : html`<button class="small" aria-label=${`Hand over to ${name}`} onClick=${() => setTo(name)}>Hand over</button>`}
        </li>`,
      )}
    </ul>
    ${to &&
    html`<${HandOver} from=${view.lead} to=${to} leave=${() => setTo("")}
      hand=${(reason) => attempt(conversation.handOver(to, reason))} />`}
    ${others.length > 0 &&
    html`<label for="bring">Bring in</label>
      <select id="bring" value="" onChange=${(event) => {
        const name = event.target.value;
        event.target.value = "";
        if (name) attempt(conversation.arrange([name], view.mode));
      }}>
        <option value="">an agent…</option>
        ${others.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>`}
    <label for="mode">Who answers</label>
    <select id="mode" value=${view.mode} onChange=${(event) => attempt(conversation.arrange([], event.target.value))}>
      ${MODES.map(([mode, words]) => html`<option key=${mode} value=${mode}>${words}</option>`)}
    </select>
    <${Problem} text=${problem} />
    <${Share} conversation=${conversation.id} />
  </section>`;
}
