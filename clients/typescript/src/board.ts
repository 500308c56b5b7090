// A board: a server, as somebody uses it who talks to agents.
import { Address } from "./address.js";
import { Connection } from "./connection.js";
import { ConnectionLost, errorOf } from "./errors.js";
import { ChannelSubscription, EventSubscription, type Subscription, type Watched } from "./subscription.js";
import { type Data, type Event, type Message, type Publication, type Reply, message, reply } from "./types.js";

/** How long a request is tried again that no agent works on; within the time in which a publication is known. */
const PATIENCE = 60_000;

/** Where a server is and who speaks; without: `CALLBOARD_URL` and `CALLBOARD_TOKEN`, or the page's own server. */
export interface Where {
  url?: string;
  token?: string;
}

/** Who is asked, and where. */
export interface To {
  agent?: string;
  conversation?: string;
}

/** An answer as it is given, piece by piece; then `reply` is the whole of it (the last one of several). */
export class Stream implements AsyncIterable<string> {
  reply: Reply | null = null;

  constructor(private readonly pieces: AsyncGenerator<string | Reply, void, void>) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for await (const piece of this.pieces) {
      if (typeof piece === "string") yield piece;
      else this.reply = piece;
    }
  }
}

/** A server. Made by `connect`. */
export class Board {
  constructor(private readonly connection: Connection) {}

  /** Ends the connection and all that hangs on it. */
  async close(): Promise<void> {
    this.connection.close();
  }

  /** Says something and returns the answer; where several answer, the last one. */
  async chat(text: string, to: To = {}): Promise<Reply> {
    const reply = (await this.replies(text, to)).at(-1);
    if (!reply) throw new ConnectionLost("no answer came");
    return reply;
  }

  /** The same, with the answers of all who answer, in their order. */
  async replies(text: string, to: To = {}): Promise<Reply[]> {
    const replies: Reply[] = [];
    for await (const piece of this.#chat(text, to, false)) if (typeof piece !== "string") replies.push(piece);
    return replies;
  }

  /** The same, piece by piece. */
  stream(text: string, to: To = {}): Stream {
    return new Stream(this.#chat(text, to, true));
  }

  async *#chat(text: string, { agent, conversation }: To, stream: boolean): AsyncGenerator<string | Reply, void, void> {
    const data = { message: text, stream, conversationId: conversation };
    for await (const frame of this.connection.request({ type: "chat", data, targetAgent: agent })) {
      if (frame.type === "chat_chunk") yield frame.data.delta;
      if (frame.type !== "chat_response") continue;
      yield reply(frame.data);
      if (frame.data.turn.index >= frame.data.turn.of) return;
    }
  }

  /** Has an agent do something; returns the result as data. */
  async command(instruction: string, parameters: Data = {}, { agent, conversation }: To): Promise<any> {
    const data = { instruction, parameters, conversationId: conversation };
    for await (const frame of this.connection.request({ type: "command", data, targetAgent: agent })) {
      if (frame.type !== "command_result") continue;
      if (frame.data.status !== "completed") throw errorOf(frame.data.error);
      return frame.data.result;
    }
  }

  /** Cancels a run. */
  async cancel(run: string): Promise<void> {
    await this.connection.send({ type: "cancel", data: { id: run } });
  }

  /** Joins a conversation, with agents; returns the last messages. */
  async join(conversation: string, agents: string[] = [], mode?: string): Promise<Message[]> {
    const data = { conversationId: conversation, agents, mode };
    return (await this.connection.askAgain("join_conversation", data, PATIENCE)).messages.map(message);
  }

  /** Leaves a conversation. */
  async leave(conversation: string): Promise<void> {
    await this.connection.ask("leave_conversation", { conversationId: conversation });
  }

  /** Hands a conversation over from one agent to another. */
  async handoff(conversation: string, source: string, target: string, reason = ""): Promise<void> {
    const data = { conversationId: conversation, fromAgent: source, toAgent: target, reason };
    await this.connection.ask("agent_handoff", data);
  }

  /** Messages of a conversation, oldest first; `before`: those below this `seq`. */
  async history(conversation: string, { limit = 50, before }: { limit?: number; before?: number } = {}): Promise<Message[]> {
    const data = { conversationId: conversation, limit, before };
    return (await this.connection.askAgain("history", data, PATIENCE)).messages.map(message);
  }

  /** How an agent is, or the whole house. */
  async status(agent?: string): Promise<Data> {
    return this.connection.askAgain("status", {}, PATIENCE, { targetAgent: agent });
  }

  /** Who can be asked. */
  async agents(): Promise<Data[]> {
    return (await this.connection.address.get("/agents")).agents;
  }

  /** Publishes in a channel; returns the `seq`, when it is on disk. Tried again over a lost connection, and published
   * once. */
  async publish(channel: string, content: unknown, { metadata }: { metadata?: Data } = {}): Promise<number> {
    const data = { channel, content, metadata, messageId: identifier() };
    return (await this.connection.askAgain("publish", data, PATIENCE)).seq;
  }

  /** The publications of a channel after `since` (0: all that are kept; without: those from now on), each once, also
   * over lost connections. One subscription a channel and board. */
  async subscribe(channel: string, { since }: { since?: number } = {}): Promise<Subscription<Publication>> {
    for (const follower of this.connection.followers) {
      if (follower instanceof ChannelSubscription && follower.channel === channel) {
        throw new RangeError(`this board follows ${channel} already; connect another`);
      }
    }
    const found = since ?? (await this.connection.address.get(`/channels/${encodeURIComponent(channel)}`))?.head ?? 0;
    return new ChannelSubscription(this.connection, channel, found).begin();
  }

  /** Events (by name; none and no stream: all), or a stream (`thoughts`, `actions`, `tokens`). */
  async watch(watched: Watched = {}): Promise<Subscription<Event>> {
    const all = watched.events?.length || watched.stream ? watched : { ...watched, events: ["*"] };
    return new EventSubscription(this.connection, all).begin();
  }
}

/** An id that nobody else has; also on pages that were not loaded over TLS. */
export function identifier(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Connects to a server. */
export async function connect({ url, token }: Where = {}): Promise<Board> {
  const connection = new Connection(new Address(url, token));
  await connection.open();
  return new Board(connection);
}

/** Runs a program that talks to a server: connects, has `main` done with the board, and closes it. */
export async function run(main: (board: Board) => Promise<unknown>, where: Where = {}): Promise<void> {
  const board = await connect(where);
  try {
    await main(board);
  } finally {
    await board.close();
  }
}
