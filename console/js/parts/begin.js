// Begins a conversation: its name, its agents, and who answers.
import { useObservable } from "../observable.js";
import { agents } from "../state/agents.js";
import { html, useState } from "../ui.js";
import { MODES } from "./cast.js";

const freshName = () => `talk-${Date.now().toString(36)}`;

/** `begin(id, {agents, mode})` is called with what was chosen. */
export function Begin({ begin }) {
  const known = useObservable(agents);
  const [name, setName] = useState(freshName);
  const [chosen, setChosen] = useState([]);
  const [mode, setMode] = useState("lead");
  const choose = (agent) => setChosen(chosen.includes(agent) ? chosen.filter((one) => one !== agent) : [...chosen, agent]);
  const submit = (event) => {
    event.preventDefault();
    begin(name, { agents: chosen, mode });
  };
  return html`<form class="card begin" onSubmit=${submit} aria-labelledby="begin-title">
    <h2 id="begin-title">Begin a conversation</h2>
    <label for="name">Name</label>
    <input id="name" required pattern="[A-Za-z0-9._:\\-]{1,128}" title="1 to 128 letters, digits and . _ - :" value=${name}
      onInput=${(event) => setName(event.target.value)} />
    <fieldset><legend>Agents, the first leads</legend>
      ${known.map(
        (agent) => html`<label key=${agent.name} class="choice">
          <input type="checkbox" checked=${chosen.includes(agent.name)} onChange=${() => choose(agent.name)} />
          <span><b>${agent.name}</b> ${agent.title}</span></label>`,
      )}
    </fieldset>
    <label for="begin-mode">Who answers</label>
    <select id="begin-mode" value=${mode} onChange=${(event) => setMode(event.target.value)}>
      ${MODES.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}
    </select>
    <button class="primary">Begin</button>
  </form>`;
}
