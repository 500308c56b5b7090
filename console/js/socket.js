// The socket to the server (document 002): it connects again when it is lost, asks again for what was watched, and tells
// how it stands. Whatever was missed meanwhile is for the state that watches to fetch: see `opened`.
import { api } from "./api.js";
import { Observable } from "./observable.js";
import { token } from "./token.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
/** The server is asked for a sign of life this often, and given up after this long without any. */
const BEAT = 20_000;
const SILENCE = 50_000;
/** How long a reply may take that no agent works on. */
const PATIENCE = 15_000;

/** `phase`: connecting, online, offline, locked (asks for credentials). */
export const connection = new Observable({ phase: "connecting", retryAt: 0, reason: "" });

let socket = null;
let attempts = 0;
let timer = 0;
let heard = 0;
let ids = 0;
const listeners = new Set();
const openers = new Set();
const waiting = new Map();
const watched = new Set();

const set = (change) => {
  connection.value = { ...connection.value, ...change };
};

/** Calls `listener` with every frame; returns what ends it. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Calls `opener` whenever the socket has opened, at once if it is open. */
export function opened(opener) {
  openers.add(opener);
  if (isOpen()) opener();
  return () => openers.delete(opener);
}

/** Keeps a subscription over all sockets; `data()` is asked each time, so that it can say where to go on. */
export function watch(data) {
  const entry = { data, ids: [] };
  watched.add(entry);
  if (isOpen()) subscribe(entry);
  return () => {
    watched.delete(entry);
    unsubscribe(entry);
  };
}

async function subscribe(entry) {
  try {
    const { subscriptions } = await request("subscribe", entry.data());
    entry.ids = subscriptions.map((subscription) => subscription.id);
    if (!watched.has(entry)) unsubscribe(entry);
  } catch (error) {
    if (isOpen()) console.warn("a subscription was refused:", error.message);
  }
}

function unsubscribe(entry) {
  if (isOpen() && entry.ids.length) send({ type: "unsubscribe", data: { subscriptionIds: entry.ids } });
  entry.ids = [];
}

const isOpen = () => socket?.readyState === WebSocket.OPEN;
export const nextId = () => `console-${Date.now().toString(36)}-${(ids += 1)}`;

export function send(frame) {
  if (!isOpen()) throw new Error("The server is not connected");
  socket.send(JSON.stringify(frame));
}

/** Sends a request and resolves with its reply, or rejects with the server's error. */
export function request(type, data, more = {}) {
  return new Promise((resolve, reject) => {
    const id = nextId();
    const fail = (message) => {
      waiting.delete(id);
      reject(new Error(message));
    };
    const late = setTimeout(() => fail("The server did not answer in time"), PATIENCE);
    waiting.set(id, { resolve, reject, late });
    try {
      send({ type, id, data, ...more });
    } catch (error) {
      clearTimeout(late);
      fail(error.message);
    }
  });
}

function settle(frame) {
  const asked = frame.id && waiting.get(frame.id);
  if (!asked) return;
  waiting.delete(frame.id);
  clearTimeout(asked.late);
  if (frame.type === "error") asked.reject(new Error(frame.details ? `${frame.message}: ${frame.details}` : frame.message));
  else asked.resolve(frame.data);
}

function take(event) {
  heard = Date.now();
  const frame = JSON.parse(event.data);
  if (frame.type === "ping") return send({ type: "pong" });
  settle(frame);
  for (const listener of [...listeners]) listener(frame);
}

function lost(reason) {
  for (const asked of waiting.values()) {
    clearTimeout(asked.late);
    asked.reject(new Error("The connection was lost before the answer came"));
  }
  waiting.clear();
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempts) * (0.75 + Math.random() / 2);
  attempts += 1;
  set({ phase: "offline", retryAt: Date.now() + wait, reason });
  clearTimeout(timer);
  timer = setTimeout(connect, wait);
}

/** Connects now, whatever there was. */
export async function connect() {
  clearTimeout(timer);
  drop();
  if (connection.value.phase !== "offline") set({ phase: "connecting", reason: "" });
  try {
    // A browser does not say why a socket was refused, so the credentials are tried on a resource first.
    await api("/agents");
  } catch (error) {
    if (error.status === 401 || error.status === 403) return set({ phase: "locked", reason: error.message });
    return lost(error.status ? error.message : "The server cannot be reached");
  }
  const protocols = token.get() ? ["callboard", `bearer.${token.get()}`] : [];
  const opening = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, protocols);
  socket = opening;
  opening.onopen = () => {
    attempts = 0;
    heard = Date.now();
    for (const entry of watched) subscribe(entry);
    set({ phase: "online", retryAt: 0, reason: "" });
    for (const opener of [...openers]) opener();
  };
  opening.onmessage = take;
  opening.onclose = (event) => {
    if (socket !== opening) return;
    socket = null;
    lost(event.reason || "The connection was lost");
  };
}

function drop() {
  const old = socket;
  socket = null;
  old?.close();
}

setInterval(() => {
  if (!isOpen()) return;
  if (Date.now() - heard > SILENCE) {
    drop();
    lost("The server has gone silent");
  } else {
    send({ type: "ping" });
  }
}, BEAT);
addEventListener("online", () => connection.value.phase === "offline" && connect());
