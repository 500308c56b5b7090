// How the server is, and what it did over the last minutes: read every few seconds while somebody looks.
import { api } from "../api.js";
import { Observable } from "../observable.js";
import { opened } from "../socket.js";
import { agents } from "./agents.js";

const EVERY = 3_000;

export const status = new Observable(null);
export const pulse = new Observable(null);

let lookers = 0;

async function read() {
  if (document.hidden || !lookers) return;
  try {
    [status.value, pulse.value] = await Promise.all([api("/status"), api("/pulse")]);
    agents.value = status.value.agents;
  } catch {
    // The connection tells how it stands.
  }
}

/** Keeps reading until what it returns is called. */
export function look() {
  lookers += 1;
  read();
  return () => {
    lookers -= 1;
  };
}

setInterval(read, EVERY);
opened(read);
