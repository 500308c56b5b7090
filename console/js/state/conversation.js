// One conversation as it is on the server: its messages without hole or double, and what goes on in it.
//
// A message has a place, `seq`, and is kept by it; when one comes that is not the next, or a socket has opened anew, what
// lies between is fetched. Questions that were sent and not seen in the history yet are `pending`.
import { listen, nextId, opened, request, send, watch } from "../socket.js";
import { Observable } from "../observable.js";
import { Work } from "./work.js";

/** Messages asked for at a time. */
const PAGE = 50;

/** A run's id, read off its answer's id. */
export const runOf = (message) => (message.id.startsWith("msg-") ? `run-${message.id.slice(4)}` : "");

export class Conversation {
  /** `{messages, before, agents, mode, lead, pending, typing, error, ready}` */
  view = new Observable({
    messages: [], before: null, agents: [], mode: "lead", lead: "", pending: [], typing: [], error: "", ready: false,
  });
  #ends = [];
  #filling = null;
  #typists = new Map();

  constructor(id, begin) {
    this.id = id;
    this.begin = begin;
    this.work = new Work(id);
  }

  /** Follows the conversation until `close`. */
  open() {
    const streams = ["thoughts", "actions", "tokens"].map((stream) => watch(() => ({ stream })));
    this.#ends = [...streams, listen((frame) => this.#take(frame)), opened(() => this.#enter())];
  }

  close() {
    for (const end of this.#ends) end();
    for (const timer of this.#typists.values()) clearTimeout(timer);
    try {
      send({ type: "leave_conversation", data: { conversationId: this.id } });
    } catch {
      // Whoever is not connected has left.
    }
  }

  get head() {
    return this.view.value.messages.at(-1)?.seq ?? 0;
  }

  #set(change) {
    this.view.value = { ...this.view.value, ...change };
  }

  /** Joins, with what the beginner chose the first time, and catches up with what was said meanwhile. */
  async #enter() {
    const sentBefore = this.view.value.pending.map((question) => question.id);
    try {
      const begin = this.begin ?? {};
      const joined = await request("join_conversation", { conversationId: this.id, ...begin });
      this.begin = null;
      this.#describe(joined);
      await this.#catchUp(joined.messages);
      this.work.catchUp();
      // What was sent over the lost socket and does not stand in the history never arrived.
      const pending = this.view.value.pending;
      this.#set({
        pending: pending.map((one) => (sentBefore.includes(one.id) ? { ...one, failed: "It did not reach the server" } : one)),
        ready: true,
        error: "",
      });
    } catch (error) {
      this.#set({ error: error.message, ready: true });
    }
  }

  #describe({ agents, mode, lead }) {
    this.#set({ agents, mode, lead });
  }

  async #catchUp(latest) {
    const head = this.head;
    let page = latest;
    const missing = [page];
    let before = page.length && page[0].seq > 1 ? page[0].seq : null;
    while (head && before && before > head + 1) {
      const older = await request("history", { conversationId: this.id, limit: PAGE, before });
      missing.unshift(older.messages);
      before = older.nextBefore;
    }
    if (!head) this.#set({ before });
    this.#add(missing.flat());
  }

  #add(more) {
    const known = new Map(this.view.value.messages.map((message) => [message.seq, message]));
    const fresh = more.filter((message) => !known.has(message.seq));
    if (!fresh.length) return;
    for (const message of fresh) known.set(message.seq, message);
    const messages = [...known.values()].sort((one, other) => one.seq - other.seq);
    let pending = this.view.value.pending;
    for (const message of fresh.filter(({ role }) => role === "user")) {
      const at = pending.findIndex((question) => question.content === message.content && message.seq > question.after);
      if (at >= 0) pending = pending.toSpliced(at, 1);
    }
    this.#set({ messages, pending });
    for (const message of fresh) this.work.answered(runOf(message));
  }

  /** A page further back. */
  async earlier() {
    const { before } = this.view.value;
    if (!before) return;
    const older = await request("history", { conversationId: this.id, limit: PAGE, before });
    this.#add(older.messages);
    this.#set({ before: older.nextBefore });
  }

  #take(frame) {
    const { type, data } = frame;
    if (type === "error" && frame.id) return this.#refused(frame);
    if ((data?.conversationId ?? frame.conversationId) !== this.id) return;
    if (type === "event" && data.eventType === "conversation_message") this.#said(data.message);
    else if (type === "event" && data.eventType === "agent_handoff") this.#handedOver(data);
    else if (type === "event" && data.eventType === "typing" && data.userId) this.#typed(data);
    else if (type === "conversation_deleted") this.#set({ error: "This conversation was deleted" });
    else this.work.take(frame);
  }

  #said(message) {
    if (message.seq === this.head + 1) return this.#add([message]);
    if (message.seq <= this.head || !this.view.value.ready) return;
    this.#filling ??= request("history", { conversationId: this.id, limit: PAGE })
      .then(({ messages }) => this.#catchUp(messages))
      .catch((error) => this.#set({ error: error.message }))
      .finally(() => {
        this.#filling = null;
      });
  }

  #handedOver({ toAgent }) {
    const { agents } = this.view.value;
    this.#set({ lead: toAgent, mode: "lead", agents: agents.includes(toAgent) ? agents : [...agents, toAgent] });
  }

  #typed({ userId, isTyping }) {
    clearTimeout(this.#typists.get(userId));
    if (isTyping) this.#typists.set(userId, setTimeout(() => this.#typed({ userId, isTyping: false }), 12_000));
    else this.#typists.delete(userId);
    this.#set({ typing: [...this.#typists.keys()] });
  }

  #refused(frame) {
    const { pending } = this.view.value;
    const why = frame.details ? `${frame.message}: ${frame.details}` : frame.message;
    this.#set({ pending: pending.map((one) => (one.id === frame.id ? { ...one, failed: why } : one)) });
  }

  /** Asks; `agent` names who is to answer, "" leaves it to the mode. */
  say(content, agent) {
    const question = { id: nextId(), content, agent, after: this.head, failed: "" };
    this.#set({ pending: [...this.view.value.pending, question] });
    this.#send(question);
  }

  #send({ id, content, agent }) {
    const frame = { type: "chat", id, data: { message: content, conversationId: this.id, stream: true } };
    try {
      send(agent ? { ...frame, targetAgent: agent } : frame);
    } catch (error) {
      this.#refused({ id, message: error.message });
    }
  }

  /** Sends a question again that did not arrive. */
  again(question) {
    this.forget(question);
    this.say(question.content, question.agent);
  }

  forget(question) {
    this.#set({ pending: this.view.value.pending.filter((one) => one.id !== question.id) });
  }

  async arrange(agents, mode) {
    this.#describe(await request("join_conversation", { conversationId: this.id, agents, mode }));
  }

  handOver(toAgent, reason) {
    const data = { conversationId: this.id, fromAgent: this.view.value.lead, toAgent, reason };
    return request("agent_handoff", data);
  }

  typing(isTyping) {
    try {
      send({ type: isTyping ? "typing_start" : "typing_stop", conversationId: this.id });
    } catch {
      // Nobody is told while there is no connection.
    }
  }
}
