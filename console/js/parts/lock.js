// Asks for credentials.
import { useObservable } from "../observable.js";
import { connect, connection } from "../socket.js";
import { token } from "../token.js";
import { html, useState } from "../ui.js";

export function Lock() {
  const { reason } = useObservable(connection);
  const [value, setValue] = useState("");
  const submit = (event) => {
    event.preventDefault();
    token.set(value);
    connect();
  };
  return html`<section class="card lock" aria-labelledby="lock-title">
    <h1 id="lock-title">This server asks for credentials</h1>
    <p>Paste a token (<code>callboard token --tenant … --agent …</code>) or an API key. It is kept in this tab alone and is
      gone when you close it.</p>
    <form onSubmit=${submit}>
      <label for="token">Token or API key</label>
      <input id="token" type="password" autocomplete="off" spellcheck="false" required value=${value}
        aria-describedby="lock-reason" onInput=${(event) => setValue(event.target.value)} />
      <p id="lock-reason" class="bad" role="alert">${token.get() ? reason : ""}</p>
      <button class="primary">Continue</button>
    </form>
  </section>`;
}
