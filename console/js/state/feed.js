// What has happened lately, newest first, as sentences.
import { Observable } from "../observable.js";
import { link } from "../router.js";
import { listen, watch } from "../socket.js";

/** As many as are worth scrolling through. */
const KEPT = 150;

/** `{id, at, who, what, tone, href}` */
export const feed = new Observable([]);
/** Runs that were heard of, newest first: `{id, agent, conversation, status, at}`. */
export const heardRuns = new Observable([]);

const RUN = {
  pending: ["was asked", "quiet"],
  processing: ["began to work", "busy"],
  input_required: ["waits for approval", "warn"],
  completed: ["answered", "good"],
  failed: ["failed", "bad"],
  cancelled: ["was cancelled", "quiet"],
  timeout: ["took too long", "bad"],
};

const SENTENCES = {
  run_status: (data) => {
    const [what, tone] = RUN[data.status] ?? [data.status, "quiet"];
    const why = data.error ? `: ${data.error.message}` : "";
    return { who: data.agentId, what: what + why, tone, href: link("run", data.runId) };
  },
  emotion_change: (data) => ({ who: data.agentId, what: `is ${data.currentEmotion} now`, tone: "quiet" }),
  memory_update: (data) => ({ who: data.agentId, what: `has ${data.action}: ${data.content}`, tone: "quiet" }),
  agent_handoff: (data) => ({
    who: data.fromAgent,
    what: `handed over to ${data.toAgent}${data.reason ? `: ${data.reason}` : ""}`,
    tone: "busy",
    href: link("conversation", data.conversationId),
  }),
  conversation_message: ({ message, conversationId }) => ({
    who: message.agent ?? message.role,
    what: `said: ${message.content}`,
    tone: "quiet",
    href: link("conversation", conversationId),
  }),
  presence: (data) => ({ who: data.agentId, what: `is ${data.status}`, tone: data.status === "online" ? "good" : "quiet" }),
  approval_decision: (data) => ({ who: data.agentId, what: `was ${data.decision}`, tone: "quiet", href: link("run", data.runId) }),
};

let ids = 0;

export function note(line) {
  ids += 1;
  feed.value = [{ id: ids, at: new Date().toISOString(), ...line }, ...feed.value].slice(0, KEPT);
}

function remember({ runId, agentId, conversationId, status }, at) {
  const others = heardRuns.value.filter((run) => run.id !== runId);
  heardRuns.value = [{ id: runId, agent: agentId, conversation: conversationId, status, at }, ...others].slice(0, 50);
}

listen(({ type, data, timestamp }) => {
  if (type !== "event") return;
  const sentence = SENTENCES[data.eventType]?.(data);
  if (sentence) note({ ...sentence, at: timestamp });
  if (data.eventType === "run_status") remember(data, timestamp);
});
watch(() => ({ events: ["*"] }));
