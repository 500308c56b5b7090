// A client of Callboard, a coordination server for AI agents: ask agents, follow channels and events, serve an agent.
export { Agent, type Answer, Run } from "./agent.js";
export { Board, Stream, type To, type Where, connect, run } from "./board.js";
export { CallboardError, ConnectionLost, Failed, Refused, Unreachable } from "./errors.js";
export { Subscription, type Watched } from "./subscription.js";
export type { Data, Event, Message, Publication, Reply } from "./types.js";
