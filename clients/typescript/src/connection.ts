// A connection to /ws that is made again when it is lost.
import { type Address, type Line, Pause } from "./address.js";
import { CallboardError, ConnectionLost, Unreachable, errorOf } from "./errors.js";
import type { Data } from "./types.js";

/** Someone who is told of frames, and subscribes anew on each connection. */
export interface Follower {
  take(frame: Data): void;
  fail(error: CallboardError): void;
  resume(): Promise<void>;
}

/** What came in reply to a request and was not taken yet. */
class Inbox {
  readonly #heard: (Data | CallboardError)[] = [];
  #wake: (() => void) | null = null;

  put(heard: Data | CallboardError): void {
    this.#heard.push(heard);
    this.#wake?.();
  }

  async next(): Promise<Data> {
    while (!this.#heard.length) await new Promise<void>((resolve) => (this.#wake = resolve));
    const heard = this.#heard.shift()!;
    if (heard instanceof CallboardError) throw heard;
    if (heard.type === "error") throw errorOf(heard.data);
    return heard;
  }
}

/** Sends requests and gives their replies to who asked; all else goes to the followers. */
export class Connection {
  readonly followers = new Set<Follower>();
  readonly #waiting = new Map<string, Inbox>();
  readonly #pause = new Pause();
  #line: Line | null = null;
  #online: (() => void)[] = [];
  #end: CallboardError | null = null;
  #ids = 0;

  constructor(readonly address: Address) {}

  /** The first connection must come about; later ones are tried for until they do. */
  async open(): Promise<void> {
    const line = await this.address.open("/ws", (frame) => this.#take(frame), () => this.#lost());
    if (this.#end) line.close();
    else this.#use(line);
  }

  close(): void {
    this.#line?.close();
    this.#line = null;
    this.#giveUp(new ConnectionLost("the connection was closed"));
  }

  #use(line: Line): void {
    this.#line = line;
    for (const online of this.#online.splice(0)) online();
  }

  #take(frame: Data): void {
    // It is only now that the server is known to be well.
    this.#pause.reset();
    this.#waiting.get(frame.id)?.put(frame);
    for (const follower of [...this.followers]) follower.take(frame);
  }

  #lost(): void {
    this.#line = null;
    for (const waiting of this.#waiting.values()) waiting.put(new ConnectionLost("the connection was lost before the answer came"));
    void this.#again();
  }

  async #again(): Promise<void> {
    while (!this.#end) {
      await this.#pause.wait();
      try {
        await this.open();
        break;
      } catch (error) {
        if (error instanceof Unreachable) continue;
        return this.#giveUp(error instanceof CallboardError ? error : new Unreachable(String(error)));
      }
    }
    for (const follower of [...this.followers]) {
      try {
        await follower.resume();
      } catch (error) {
        if (error instanceof ConnectionLost) return;
        follower.fail(error as CallboardError);
      }
    }
  }

  #giveUp(error: CallboardError): void {
    this.#end ??= error;
    for (const waiting of this.#waiting.values()) waiting.put(error);
    for (const follower of [...this.followers]) follower.fail(error);
    for (const online of this.#online.splice(0)) online();
  }

  /** Sends a frame, on the connection as it is or as soon as there is one. */
  async send(frame: Data): Promise<void> {
    if (!this.#line && !this.#end) await new Promise<void>((resolve) => this.#online.push(resolve));
    if (this.#end) throw this.#end;
    if (!this.#line) throw new ConnectionLost("the connection was lost");
    this.#line.send(frame);
  }

  /** The frames that answer a request, as they come; an error among them is thrown. */
  async *request(frame: Data): AsyncGenerator<Data, void, void> {
    const id = `ts-${(this.#ids += 1)}`;
    const inbox = new Inbox();
    this.#waiting.set(id, inbox);
    try {
      await this.send({ id, ...frame });
      for (;;) yield await inbox.next();
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** The data of the one frame that answers a request. */
  async ask(type: string, data: Data, more: Data = {}): Promise<Data> {
    for await (const frame of this.request({ type, data, ...more })) return frame.data;
    throw new ConnectionLost("no answer came");
  }

  /** The same, asked again where the answer was lost with the connection: for what may be done twice. */
  async askAgain(type: string, data: Data, within: number, more: Data = {}): Promise<Data> {
    let late: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new ConnectionLost(`no answer came within ${within} ms`)), within);
    });
    const asking = async (): Promise<Data> => {
      const until = Date.now() + within;
      for (;;) {
        try {
          return await this.ask(type, data, more);
        } catch (error) {
          if (!(error instanceof ConnectionLost) || this.#end || Date.now() > until) throw error;
        }
      }
    };
    try {
      return await Promise.race([asking(), limit]);
    } finally {
      clearTimeout(late);
    }
  }
}
