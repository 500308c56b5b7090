// Conversations: pick one or begin one, and talk.
import { api } from "../api.js";
import { ago, plural } from "../format.js";
import { gathered } from "../gathered.js";
import { useObservable } from "../observable.js";
import { Begin } from "../parts/begin.js";
import { Cast } from "../parts/cast.js";
import { Empty, Problem } from "../parts/pieces.js";
import { Thread } from "../parts/thread.js";
import { go, link } from "../router.js";
import { Conversation } from "../state/conversation.js";
import { listen, opened } from "../socket.js";
import { html, useCallback, useEffect, useMemo, useState } from "../ui.js";

/** Conversations asked for at a time. */
const PAGE = 100;

/** What the beginner of a conversation chose, until it is opened. */
const begun = new Map();

const byTime = (one, other) => other.updated_at.localeCompare(one.updated_at);

function useList(current) {
  const [list, setList] = useState({ known: [], after: null, error: "" });
  const read = useCallback(async (after) => {
    try {
      const page = await api(`/conversations?limit=${PAGE}${after ? `&after=${encodeURIComponent(after)}` : ""}`);
      setList((before) => ({ known: after ? [...before.known, ...page.conversations] : page.conversations, after: page.next_after, error: "" }));
    } catch (error) {
      setList((before) => ({ ...before, error: error.message }));
    }
  }, []);
  useEffect(() => {
    const soon = gathered(() => read());
    const ends = [soon.end, opened(() => read()), listen(({ type, data }) => type === "event" && data.eventType === "conversation_message" && soon.call())];
    return () => ends.forEach((end) => end());
  }, [current]);
  return { ...list, more: () => read(list.after) };
}

function List({ current }) {
  const { known, after, error, more } = useList(current);
  return html`<nav class="card list" aria-label="Conversations">
    <header class="head"><h2>Conversations</h2><a class="button small primary" href=${link("conversation")}>New</a></header>
    <${Problem} text=${error} />
    <ul class="rows">
      ${known.toSorted(byTime).map(
        (one) => html`<li key=${one.id}><a href=${link("conversation", one.id)} aria-current=${one.id === current ? "true" : undefined}>
          <b>${one.id}</b><span>${one.agents.join(", ")}</span><span>${plural(one.messages, "message")} · ${ago(one.updated_at)}</span></a></li>`,
      )}
    </ul>
    ${after && html`<button class="small" onClick=${more}>More</button>`}
    ${!known.length && !error && html`<${Empty} title="None yet" />`}
  </nav>`;
}

function Open({ id }) {
  const conversation = useMemo(() => {
    const made = new Conversation(id, begun.get(id));
    begun.delete(id);
    return made;
  }, [id]);
  const view = useObservable(conversation.view);
  useEffect(() => {
    conversation.open();
    return () => conversation.close();
  }, [conversation]);
  return html`<section class="card talk" aria-labelledby="talk-title">
      <header class="head"><a class="back small button" href=${link("conversation")}>All</a><h1 id="talk-title">${id}</h1></header>
      <${Thread} conversation=${conversation} view=${view} />
    </section>
    <details class="card side-panel" open=${matchMedia("(min-width: 1100px)").matches}><summary>Agents and mode</summary>
      <${Cast} conversation=${conversation} view=${view} />
    </details>`;
}

export function ConversationPage({ id }) {
  const begin = (name, choice) => {
    begun.set(name, choice);
    go("conversation", name);
  };
  return html`<div class=${`conversation ${id ? "open" : ""}`}>
    <${List} current=${id} />
    ${id ? html`<${Open} key=${id} id=${id} />` : html`<section class="welcome"><h1 class="title">Conversations</h1><${Begin} begin=${begin} /></section>`}
  </div>`;
}
