// How the connection stands.
import { useObservable } from "../observable.js";
import { connect, connection } from "../socket.js";
import { token } from "../token.js";
import { html, useEffect, useState } from "../ui.js";

const WORDS = { connecting: "Connecting", online: "Live", offline: "Offline", locked: "Locked" };

function Countdown({ until }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((until - now) / 1000));
  return html`<span aria-hidden="true">${seconds ? ` again in ${seconds} s` : " trying"}</span>`;
}

function forget() {
  token.set("");
  connect();
}

export function Signal() {
  const { phase, retryAt, reason } = useObservable(connection);
  return html`
    <span class=${`signal ${phase}`} role="status" title=${reason}>
      <span class="dot" aria-hidden="true"></span>${WORDS[phase]}
      ${phase === "offline" && html`<${Countdown} until=${retryAt} />`}
    </span>
    ${phase === "offline" && html`<button class="small" onClick=${connect}>Connect now</button>`}
    ${phase === "online" && token.get() && html`<button class="small plain" onClick=${forget}>Sign out</button>`}
  `;
}
