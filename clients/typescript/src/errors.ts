// What can go wrong.

/** Whatever this package throws by itself. */
export class CallboardError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** No server answers, or it takes nobody in just now. */
export class Unreachable extends CallboardError {}

/** The connection ended before the answer came. The run goes on; its answer will be in the conversation. */
export class ConnectionLost extends CallboardError {}

/** The credentials are missing or do not suffice. */
export class Refused extends CallboardError {}

/** The server answered with an error; `code` is for programs. */
export class Failed extends CallboardError {
  constructor(readonly code: string, readonly reason: string, readonly details = "") {
    super(details ? `${reason}: ${details} (${code})` : `${reason} (${code})`);
  }
}

/** The error in an error of the server's. */
export function errorOf(data: Record<string, unknown>): CallboardError {
  const [code, message, details] = ["code", "message", "details"].map((name) => String(data[name] ?? ""));
  return code === "UNAUTHORIZED" ? new Refused(details || message || "") : new Failed(code ?? "", message ?? "", details);
}
