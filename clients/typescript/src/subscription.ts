// What is subscribed to, as something to iterate over.
import type { Connection, Follower } from "./connection.js";
import { type CallboardError, ConnectionLost } from "./errors.js";
import { type Data, type Event, type Publication, event, publication } from "./types.js";

/** What may wait for whoever iterates. A channel is read again from there once it is taken; of events the oldest go. */
const BACKLOG = 1024;
const PATIENCE = 20_000;

/** Iterate over it with `for await`; `close`, or leaving the loop, ends it. */
export abstract class Subscription<T> implements Follower, AsyncIterableIterator<T> {
  protected readonly queue: T[] = [];
  #ids: string[] = [];
  #error: CallboardError | null = null;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(protected readonly connection: Connection) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T>> {
    while (!this.queue.length) {
      if (this.#closed) return { done: true, value: undefined };
      if (this.#error) throw this.#error;
      await this.catchUp();
      if (!this.queue.length && !this.#closed && !this.#error) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
    return { done: false, value: this.queue.shift()! };
  }

  async return(): Promise<IteratorResult<T>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Ends it; what is still waiting can be taken. */
  async close(): Promise<void> {
    this.connection.followers.delete(this);
    this.#closed = true;
    this.news();
    await this.leave();
  }

  fail(error: CallboardError): void {
    this.#error = error;
    this.news();
  }

  async resume(): Promise<void> {
    this.#ids = ids(await this.connection.ask("subscribe", this.data()));
  }

  async begin(): Promise<this> {
    this.connection.followers.add(this);
    try {
      this.#ids = ids(await this.connection.askAgain("subscribe", this.data(), PATIENCE));
    } catch (error) {
      this.connection.followers.delete(this);
      throw error;
    }
    return this;
  }

  abstract take(frame: Data): void;
  protected abstract data(): Data;
  protected async catchUp(): Promise<void> {}

  protected news(): void {
    this.#wake?.();
  }

  protected async leave(): Promise<void> {
    const subscriptionIds = this.#ids;
    this.#ids = [];
    // With the connection the subscription is gone as well.
    if (subscriptionIds.length) await this.connection.ask("unsubscribe", { subscriptionIds }).catch(() => {});
  }
}

const ids = (answer: Data): string[] => answer.subscriptions.map((one: Data) => one.id);

/** The publications of a channel in the order of their `seq`, each once, over all connections. */
export class ChannelSubscription extends Subscription<Publication> {
  #behind = false;

  constructor(connection: Connection, readonly channel: string, private seq: number) {
    super(connection);
  }

  protected data(): Data {
    return { channels: [this.channel], since: this.seq };
  }

  take({ type, data }: Data): void {
    if (type !== "channel_message" || data.channel_id !== this.channel || this.#behind || data.seq <= this.seq) return;
    if (this.queue.length >= BACKLOG) {
      this.#behind = true;
      return;
    }
    this.seq = data.seq;
    this.queue.push(publication(data));
    this.news();
  }

  /** Everything that waited was taken: what had no room is read again. */
  protected override async catchUp(): Promise<void> {
    if (!this.#behind) return;
    await this.leave();
    this.#behind = false;
    try {
      await this.resume();
    } catch (error) {
      // The next connection resumes it.
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  override async resume(): Promise<void> {
    if (!this.#behind) await super.resume();
  }
}

/** What events, or which stream. */
export interface Watched {
  events?: string[];
  stream?: string;
  agent?: string;
  minImportance?: number;
}

/** Events or a stream, as they happen; what happens while there is no connection is missed. */
export class EventSubscription extends Subscription<Event> {
  missed = 0;

  constructor(connection: Connection, private readonly watched: Watched) {
    super(connection);
  }

  protected data(): Data {
    const { events, stream, agent, minImportance } = this.watched;
    const filter = minImportance === undefined ? undefined : { minImportance };
    return stream ? { events, stream, agentId: agent, filter } : { events };
  }

  #wants({ type, data }: Data): boolean {
    const { events = [], stream, agent, minImportance = 0 } = this.watched;
    if (type === "event") return events.includes("*") || events.includes(data.eventType);
    if (type !== "stream_data" || data.stream !== stream) return false;
    return (agent === undefined || agent === data.agentId) && data.importance >= minImportance;
  }

  take(frame: Data): void {
    if (!this.#wants(frame)) return;
    if (this.queue.length >= BACKLOG) {
      this.queue.shift();
      this.missed += 1;
    }
    this.queue.push(event(frame));
    this.news();
  }
}
