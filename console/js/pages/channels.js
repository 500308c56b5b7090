// Channels: what is published, live and from any point on, and who is there.
import { api, part } from "../api.js";
import { clock, plural, shown } from "../format.js";
import { gathered } from "../gathered.js";
import { useObservable } from "../observable.js";
import { Avatar, Empty, Pill, Problem } from "../parts/pieces.js";
import { go, link } from "../router.js";
import { Channel } from "../state/channel.js";
import { listen, opened } from "../socket.js";
import { html, useEffect, useMemo, useRef, useState } from "../ui.js";

function List({ current }) {
  const [list, setList] = useState([]);
  const [name, setName] = useState("");
  const [error, setError] = useState("");
  useEffect(() => {
    const read = () => api("/channels?limit=100").then((page) => setList(page.channels), (why) => setError(why.message));
    const end = opened(read);
    const timer = setInterval(() => document.hidden || read(), 4_000);
    return () => {
      end();
      clearInterval(timer);
    };
  }, []);
  const submit = (event) => {
    event.preventDefault();
    go("channels", name);
    setName("");
  };
  return html`<nav class="card list" aria-label="Channels">
    <h2>Channels</h2>
    <form class="row" onSubmit=${submit}><label class="hidden" for="channel-name">Name of a channel</label>
      <input id="channel-name" required pattern="[A-Za-z0-9._:\\-]{1,128}" placeholder="open or make one" value=${name}
        title="1 to 128 letters, digits and . _ - :" onInput=${(event) => setName(event.target.value)} /><button class="small">Open</button></form>
    <${Problem} text=${error} />
    <ul class="rows">${list.map(
      (one) => html`<li key=${one.id}><a href=${link("channels", one.id)} aria-current=${one.id === current ? "true" : undefined}>
        <b>${one.name ?? one.id}</b><span>${plural(one.head, "message")}</span></a></li>`,
    )}</ul>
    ${!list.length && html`<${Empty} title="No channel yet">The first message makes it.<//>`}
  </nav>`;
}

function Publication({ message }) {
  const from = message.agent_id ?? "somebody";
  const plain = typeof message.content === "string";
  return html`<li><span class="seq" aria-label=${`number ${message.seq}`}>${message.seq}</span>
    <div><header><b>${from}</b> <time datetime=${message.timestamp}>${clock(message.timestamp)}</time></header>
      ${plain ? html`<p class="prose">${message.content}</p>` : html`<pre tabindex="0">${shown(message.content)}</pre>`}</div></li>`;
}

/** Text as JSON where it is JSON, else as text. */
function content(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function Publish({ channel, said }) {
  const [text, setText] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    try {
      const { seq } = await channel.publish(content(text));
      setText("");
      said(`Published as number ${seq}`, "");
    } catch (error) {
      said("", error.message);
    }
  };
  return html`<form class="composer" onSubmit=${submit}><label for="publish">Publish: text, or JSON</label>
    <textarea id="publish" rows="2" required value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
    <div class="row"><button class="primary">Publish</button></div></form>`;
}

function Replay({ replay }) {
  const [from, setFrom] = useState(1);
  const submit = (event) => {
    event.preventDefault();
    replay(Math.max(0, Number(from) - 1));
  };
  return html`<form class="row replay" onSubmit=${submit}><label for="from">Replay from number</label>
    <input id="from" type="number" min="1" required value=${from} onInput=${(event) => setFrom(event.target.value)} />
    <button class="small">Replay</button></form>`;
}

function Open({ id }) {
  const [from, setFrom] = useState({ seq: undefined, turn: 0 });
  const channel = useMemo(() => new Channel(id), [id, from]);
  const view = useObservable(channel.view);
  const [note, setNote] = useState({ said: "", error: "" });
  const end = useRef(null);
  useEffect(() => {
    channel.open(from.seq);
    return () => channel.close();
  }, [channel]);
  useEffect(() => {
    end.current.scrollTop = end.current.scrollHeight;
  }, [view.messages]);
  return html`<section class="card talk" aria-labelledby="channel-title">
    <header class="head"><a class="back small button" href=${link("channels")}>All</a><h1 id="channel-title">${id}</h1>
      <${Replay} replay=${(seq) => setFrom({ seq, turn: from.turn + 1 })} /></header>
    ${view.description?.description && html`<p class="note">${view.description.description}</p>`}
    <div class="scroll" ref=${end} tabindex="0" role="region" aria-label="Publications">
      <div role="log" aria-label="Messages"><ol class="publications">${view.messages.map((message) => html`<${Publication} key=${message.seq} message=${message} />`)}</ol></div>
      ${view.ready && !view.messages.length && html`<${Empty} title="Nothing was published here yet" />`}
    </div>
    <p class="note" role="status">${note.said}</p>
    <${Problem} text=${note.error || view.error} />
    <${Publish} channel=${channel} said=${(said, error) => setNote({ said, error })} />
  </section>`;
}

/** Who listens to a channel, asked for again as agents come and go, and now and then: others come and go unheard. */
function usePresence(id) {
  const [present, setPresent] = useState(null);
  useEffect(() => {
    const read = () => api(`/channels/${part(id)}/presence`).then(setPresent, () => {});
    const soon = gathered(read);
    const ends = [soon.end, opened(read), listen(({ type, data }) => type === "event" && data.eventType === "presence" && soon.call())];
    const timer = setInterval(() => document.hidden || read(), 3_000);
    return () => {
      clearInterval(timer);
      ends.forEach((end) => end());
    };
  }, [id]);
  return present;
}

function Presence({ id }) {
  const present = usePresence(id);
  const { agents = [], others = 0 } = present ?? {};
  return html`<section class="card presence" aria-labelledby="presence-title"><h2 id="presence-title">Present</h2>
    <p class="note">Agents that listen to ${id} now.</p>
    <ul class="people">${agents.map(
      ({ agent_id, sockets }) => html`<li key=${agent_id}><${Avatar} name=${agent_id} small /> <span class="name">${agent_id}</span>
        <${Pill} tone="good">${sockets > 1 ? plural(sockets, "socket") : "online"}<//></li>`,
    )}</ul>
    ${present && !agents.length && html`<${Empty} title="No agent just now" />`}
    ${others > 0 && html`<p class="note others">${plural(others, "other listener")}, this page among them</p>`}
  </section>`;
}

export function ChannelsPage({ id }) {
  return html`<div class=${`conversation ${id ? "open" : ""}`}>
    <${List} current=${id} />
    ${id ? html`<${Open} key=${id} id=${id} /><${Presence} key=${`present ${id}`} id=${id} />` : html`<section class="welcome"><h1 class="title">Channels</h1>
      <${Empty} title="Choose a channel, or open one by its name">What is published there is numbered, kept, and can be replayed from any number.<//></section>`}
  </div>`;
}
