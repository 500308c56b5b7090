// Where a server is, and who speaks to it.
import { Refused, Unreachable, errorOf } from "./errors.js";
import type { Data } from "./types.js";

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 10_000;
const PATIENCE = 20_000;
/** A server is asked for a sign of life this often, and given up after this long without any. */
const BEAT = 20_000;
const SILENCE = 60_000;

const globals = globalThis as Data;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** A socket of the browser's kind; Node.js below 22 has it from the package ws. */
async function socketClass(): Promise<typeof WebSocket> {
  if (globals.WebSocket) return globals.WebSocket;
  const name = "ws";
  return (await import(name)).default;
}

/** An open socket, as events of frames and of its end. */
export interface Line {
  send(frame: Data): void;
  close(): void;
}

export class Address {
  readonly #http: string;
  readonly #ws: string;
  readonly #token: string;

  /** `http`, `https`, `ws` or `wss`; the path of an endpoint is left away. */
  constructor(url?: string, token?: string) {
    const variable = (name: string): string | undefined => globals.process?.env?.[name];
    const here: string | undefined = globals.location?.origin;
    const given = url ?? variable("CALLBOARD_URL") ?? here ?? "http://127.0.0.1:3001";
    const [, scheme = "http", rest = given] = /^([a-z]+):\/\/(.*)$/.exec(given) ?? [];
    const base = rest.replace(/\/+$/, "").replace(/(\/api)?(\/v1)?\/ws$/, "");
    const safe = scheme === "https" || scheme === "wss" ? "s" : "";
    this.#http = `http${safe}://${base}`;
    this.#ws = `ws${safe}://${base}`;
    this.#token = token ?? variable("CALLBOARD_TOKEN") ?? "";
  }

  /** What is found at a path; null if nothing is. */
  async get(path: string): Promise<any> {
    const headers: Record<string, string> = this.#token ? { authorization: `Bearer ${this.#token}` } : {};
    let response: Response;
    try {
      response = await fetch(this.#http + path, { headers, signal: AbortSignal.timeout(PATIENCE) });
    } catch (error) {
      throw new Unreachable(`no server answers at ${this.#http}: ${(error as Data).cause?.message ?? error}`);
    }
    if (response.status === 404) return null;
    const body: any = await response.json().catch(() => ({}));
    if (response.ok) return body;
    const told = body.error ?? {};
    if (response.status === 401 || response.status === 403) throw new Refused(told.details || told.message || "no credentials");
    if (response.status >= 500 || response.status === 429) throw new Unreachable(`${this.#http} answers ${response.status}`);
    throw errorOf(told);
  }

  /** Connects to a socket. `take` is given every frame, `lost` is called once when it has ended. */
  async open(path: string, take: (frame: Data) => void, lost: () => void): Promise<Line> {
    // A browser does not say why a socket was refused, so the credentials are tried on a resource first.
    await this.get("/agents");
    const socket = new (await socketClass())(this.#ws + path, this.#token ? ["callboard", `bearer.${this.#token}`] : []);
    return new Promise((resolve, reject) => {
      let open = false;
      let heard = Date.now();
      const late = setTimeout(() => socket.close(), PATIENCE);
      const beat = setInterval(() => {
        if (Date.now() - heard > SILENCE) end();
        else if (open) socket.send('{"type":"ping"}');
      }, BEAT);
      const end = () => {
        clearTimeout(late);
        clearInterval(beat);
        socket.onclose = socket.onmessage = null;
        socket.close();
        if (open) lost();
        else reject(new Unreachable(`no socket opens at ${this.#ws}${path}`));
        open = false;
      };
      const line: Line = {
        send: (frame) => {
          if (socket.readyState === 1) socket.send(JSON.stringify(frame));
        },
        close: () => {
          clearTimeout(late);
          clearInterval(beat);
          socket.onclose = socket.onmessage = null;
          socket.close(1000);
        },
      };
      socket.onopen = () => {
        clearTimeout(late);
        open = true;
        resolve(line);
      };
      socket.onerror = () => {};
      socket.onclose = end;
      socket.onmessage = ({ data }) => {
        heard = Date.now();
        const frame: Data = JSON.parse(String(data));
        if (frame.type === "ping") line.send({ type: "pong" });
        else if (frame.type !== "pong") take(frame);
      };
    });
  }
}

/** Pauses between attempts to connect: they double, each a little shorter or longer by chance. */
export class Pause {
  #attempts = 0;

  reset(): void {
    this.#attempts = 0;
  }

  async wait(): Promise<void> {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(this.#attempts, 16));
    this.#attempts += 1;
    await sleep(pause * (0.75 + Math.random() / 2));
  }
}
