// Where a message is written. Enter sends it, Shift+Enter begins a line.
import { useObservable } from "../observable.js";
import { connection } from "../socket.js";
import { html, useEffect, useRef, useState } from "../ui.js";

/** Who stopped writing for so long does not write any more. */
const STILL = 4_000;

export function Composer({ conversation, agents }) {
  const { phase } = useObservable(connection);
  const [text, setText] = useState("");
  const [agent, setAgent] = useState("");
  const field = useRef(null);
  const typing = useRef(0);

  const still = () => {
    if (!typing.current) return;
    clearTimeout(typing.current);
    typing.current = 0;
    conversation.typing(false);
  };
  useEffect(() => still, [conversation]);

  const write = (value) => {
    setText(value);
    if (!value) return still();
    if (!typing.current) conversation.typing(true);
    clearTimeout(typing.current);
    typing.current = setTimeout(still, STILL);
  };
  const say = (event) => {
    event?.preventDefault();
    if (!text.trim() || phase !== "online") return;
    still();
    conversation.say(text.trim(), agent);
    setText("");
    field.current.focus();
  };
  const key = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) say(event);
  };
  return html`<form class="composer" onSubmit=${say}>
    <label class="hidden" for="message">Message</label>
    <textarea id="message" ref=${field} rows="2" value=${text} placeholder="Say something" onInput=${(event) => write(event.target.value)}
      onKeyDown=${key} aria-describedby="composer-note"></textarea>
    <div class="row">
      <label for="to">To</label>
      <select id="to" value=${agent} onChange=${(event) => setAgent(event.target.value)}>
        <option value="">whoever answers here</option>
        ${agents.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
      <span id="composer-note" class="note">${phase === "online" ? "Enter sends" : "Offline: what you write stays here"}</span>
      <button class="primary" disabled=${phase !== "online" || !text.trim()}>Send</button>
    </div>
  </form>`;
}
