// The server's resources over HTTP.
import { token } from "./token.js";

/** A request that was refused: `status` of HTTP, `code` and `message` of the server. */
export class Refusal extends Error {
  constructor(status, error) {
    super(error?.message ?? `The server answered ${status}`);
    this.status = status;
    this.code = error?.code ?? "";
    this.details = error?.details ?? "";
  }
}

export async function api(path, { method = "GET", body } = {}) {
  const headers = { accept: "application/json" };
  if (token.get()) headers.authorization = `Bearer ${token.get()}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const value = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refusal(answer.status, value?.error);
  return value;
}

/** An id as a part of a path. */
export const part = encodeURIComponent;
