// One channel: its publications by `seq`, without hole or double. A socket that opens anew goes on after the last one.
import { api, part } from "../api.js";
import { Observable } from "../observable.js";
import { listen, request, watch } from "../socket.js";

/** As many as a page can show with ease; the others stay on the server. */
const KEPT = 500;
/** How far back it begins unless somebody says from where. */
const LATELY = 50;

export class Channel {
  /** `{messages, description, error, ready}`; messages are in the order of their `seq`. */
  view = new Observable({ messages: [], description: null, error: "", ready: false });
  #ends = [];
  #after = 0;

  constructor(id) {
    this.id = id;
  }

  async open(from) {
    let head = 0;
    try {
      const description = await api(`/channels/${part(this.id)}`);
      head = description.head;
      this.#set({ description });
    } catch (error) {
      // A channel is made by the first publication.
      if (error.status !== 404) this.#set({ error: error.message });
    }
    if (this.closed) return;
    this.#after = from ?? Math.max(0, head - LATELY);
    this.#ends = [
      listen((frame) => this.#take(frame)),
      watch(() => ({ channels: [this.id], since: this.#after })),
    ];
    this.#set({ ready: true });
  }

  close() {
    this.closed = true;
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  #set(change) {
    this.view.value = { ...this.view.value, ...change };
  }

  #take({ type, data }) {
    if (type !== "channel_message" || data.channel_id !== this.id || data.seq <= this.#after) return;
    this.#after = data.seq;
    this.#set({ messages: [...this.view.value.messages, data].slice(-KEPT) });
  }

  publish(content) {
    return request("publish", { channel: this.id, content, messageId: crypto.randomUUID?.() });
  }
}
