// An agent in this process: it joins a server over /v1/ws, and does what it is asked.
import { Address, type Line, Pause } from "./address.js";
import { identifier, type Where } from "./board.js";
import { CallboardError, ConnectionLost, Failed, Unreachable } from "./errors.js";
import type { Data } from "./types.js";

const HEARTBEAT = 20_000;
const PATIENCE = 30_000;

/** One piece of work: what is asked, and `step` to show how it goes. */
export class Run {
  readonly messageId: string;
  readonly text: string;
  readonly metadata: Data;
  readonly id: string;
  readonly kind: string;
  readonly conversation: string;
  readonly history: Data[];

  constructor(private readonly wire: Wire, frame: Data) {
    this.messageId = frame.id;
    this.text = typeof frame.content === "string" ? frame.content : JSON.stringify(frame.content);
    this.metadata = frame.metadata;
    this.id = frame.metadata.run_id;
    this.kind = frame.metadata.kind ?? "chat";
    this.conversation = frame.metadata.conversation_id ?? "";
    this.history = frame.metadata.history ?? [];
  }

  /** Shows those who watch what is being done; `notes`: stage, importance, tool. */
  async step(text: string, notes: Data = {}): Promise<void> {
    await this.wire.send({ type: "step", reply_to: this.messageId, content: text, metadata: notes });
  }
}

/** Does the work: it is given a run and returns what is answered. */
export type Answer = (run: Run) => Promise<string> | string;

/** An agent. Its name is that of its token, which needs the scope `agent:serve`. */
export class Agent {
  readonly #address: Address;
  #answer: Answer | null = null;
  #wire: Wire | null = null;
  #closed = false;

  constructor({ url, token }: Where = {}) {
    this.#address = new Address(url, token);
  }

  /** Decorates the method that does the work, static or of an object: it is given a `Run` and returns what is answered.
   * Called with a function it names that one. (A property, for decorators are called without their object.) */
  readonly answer = <This, Work extends (this: This, run: Run) => ReturnType<Answer>>(
    work: Work,
    context?: ClassMethodDecoratorContext<This, Work>,
  ): Work => {
    const use = (self: This) => (this.#answer = (run) => work.call(self, run));
    if (context) context.addInitializer(function () { use(this); });
    else use(undefined as This);
    return work;
  };

  /** Serves until `close`, over as many connections as it takes; `ready` is called at each. */
  async serve(ready?: () => void): Promise<void> {
    if (!this.#answer) throw new TypeError("an agent needs a function to answer with");
    const pause = new Pause();
    for (let first = true; !this.#closed; ) {
      try {
        const wire = new Wire(this.#answer);
        await wire.open(this.#address);
        this.#wire = wire;
        first = false;
        pause.reset();
        ready?.();
        await wire.ended;
      } catch (error) {
        if (first || !(error instanceof Unreachable)) throw error;
      }
      if (!this.#closed) await pause.wait();
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wire?.close();
  }
}

/** One connection of an agent. */
class Wire {
  readonly ended: Promise<void>;
  readonly #waiting = new Map<string, (error: CallboardError | null) => void>();
  #line: Line | null = null;
  #beat: ReturnType<typeof setInterval> | undefined;
  #end: () => void = () => {};

  constructor(private readonly answer: Answer) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  async open(address: Address): Promise<void> {
    this.#line = await address.open("/v1/ws", (frame) => this.#take(frame), () => this.close());
    this.#beat = setInterval(() => this.#line?.send({ type: "heartbeat" }), HEARTBEAT);
  }

  close(): void {
    clearInterval(this.#beat);
    this.#line?.close();
    this.#line = null;
    for (const settle of [...this.#waiting.values()]) settle(new ConnectionLost("the connection was lost"));
    this.#end();
  }

  /** Sends a frame and waits until the server has acknowledged it. */
  send(frame: Data): Promise<void> {
    const id = identifier();
    return new Promise((resolve, reject) => {
      const settle = (error: CallboardError | null) => {
        clearTimeout(late);
        this.#waiting.delete(id);
        if (error) reject(error);
        else resolve();
      };
      const late = setTimeout(() => settle(new ConnectionLost("it was not acknowledged in time")), PATIENCE);
      this.#waiting.set(id, settle);
      if (this.#line) this.#line.send({ id, ...frame });
      else settle(new ConnectionLost("the connection was lost"));
    });
  }

  #take(frame: Data): void {
    if (frame.type === "ACK") this.#waiting.get(frame.message_id)?.(null);
    else if (frame.type === "ERROR") {
      this.#waiting.get(frame.message_id)?.(new Failed(frame.code ?? "", frame.error, frame.details));
    } else if (frame.type === "message" && frame.metadata?.run_id) void this.#work(new Run(this, frame));
  }

  /** Does a run. One that fails has its reason as the answer, for the asker must not wait for nothing. */
  async #work(run: Run): Promise<void> {
    let text: string;
    try {
      text = await this.answer(run);
    } catch (error) {
      if (error instanceof CallboardError) return;
      console.error(`callboard: run ${run.id} failed:`, error);
      text = `I could not do it: ${error instanceof Error ? error.name : "error"}`;
    }
    // Cancelled meanwhile, for example: the server says so, and the run has ended there.
    await this.send({ type: "message", reply_to: run.messageId, content: text }).catch(() => {});
  }
}
