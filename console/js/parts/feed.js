// What happens, as it happens. It is spoken only on request: a busy house would never stop talking.
import { clock } from "../format.js";
import { useObservable } from "../observable.js";
import { feed } from "../state/feed.js";
import { html, useState } from "../ui.js";
import { Empty } from "./pieces.js";

export function Feed() {
  const live = useObservable(feed);
  const [held, setHeld] = useState(null);
  const lines = held ?? live;
  return html`<section class="card feed" aria-labelledby="feed-title">
    <header class="head">
      <h2 id="feed-title">Live events</h2>
      <button class="small" aria-pressed=${held !== null} onClick=${() => setHeld(held ? null : live)}>
        ${held ? `Go on (${Math.max(0, (live[0]?.id ?? 0) - (held[0]?.id ?? 0))} new)` : "Hold"}
      </button>
    </header>
    ${lines.length === 0 && html`<${Empty} title="Nothing has happened yet">Talk to an agent, and what it does appears here.<//>`}
    <div class="lines" role="log" aria-live="off" aria-label="Live events" tabindex="0" hidden=${lines.length === 0}><ol>
      ${lines.map(
        (line) => html`<li key=${line.id} class=${line.tone}>
          <time datetime=${line.at}>${clock(line.at)}</time>
          <span class="text"><b>${line.who}</b> ${line.href ? html`<a href=${line.href}>${line.what}</a>` : line.what}</span>
        </li>`,
      )}
    </ol></div>
  </section>`;
}
