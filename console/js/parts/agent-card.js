// An agent at a glance.
import { duration, number } from "../format.js";
import { html } from "../ui.js";
import { Avatar, Pill, TONES } from "./pieces.js";

const doing = (agent) => (agent.current_task ? agent.current_task.replaceAll("_", " ") : "nothing");

export function AgentCard({ agent, beat }) {
  return html`<li class="card agent">
    <header>
      <${Avatar} name=${agent.name} />
      <div class="who"><h3>${agent.name}</h3><p>${agent.title}</p></div>
      <${Pill} tone=${TONES[agent.status] ?? "quiet"}>${agent.status}<//>
    </header>
    <dl class="facts">
      <div><dt>Mood</dt><dd><span class="mood" title=${`intensity ${agent.mood.intensity}`}>${agent.mood.emotion}</span></dd></div>
      <div><dt>Doing</dt><dd>${doing(agent)}</dd></div>
      <div><dt>Queue</dt><dd>${number(agent.queue_length)}</dd></div>
      <div><dt>Answers a minute</dt><dd>${number(beat?.last_minute ?? 0)}</dd></div>
      <div><dt>Errors in 10 min</dt><dd class=${beat?.failed ? "bad" : ""}>${number(beat?.failed ?? 0)}</dd></div>
      <div><dt>Up for</dt><dd>${duration(agent.uptime)}</dd></div>
    </dl>
    ${agent.remote && html`<p class="note">lives in another process</p>`}
  </li>`;
}
