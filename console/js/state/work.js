// The runs that go on in one conversation, step by step and token by token, and how they came about when they are over.
import { api, part } from "../api.js";
import { Observable } from "../observable.js";
import { request } from "../socket.js";

/** Traces kept of runs that ended, so that a long afternoon does not fill the page's memory. */
const TRACES = 200;
const ENDED = ["completed", "failed", "cancelled", "timeout"];

export class Work {
  /** Runs under way or without an answer, in order: `{id, agent, status, steps, text, error, approval}`. */
  runs = new Observable([]);
  /** Steps of runs that were answered, by run. */
  traces = new Map();

  constructor(conversation) {
    this.conversation = conversation;
  }

  #change(id, agent, change) {
    const known = this.runs.value.find((run) => run.id === id);
    const before = known ?? { id, agent, status: "pending", steps: [], text: "", error: null, approval: null };
    const after = { ...before, ...change(before) };
    this.runs.value = known ? this.runs.value.map((run) => (run === known ? after : run)) : [...this.runs.value, after];
  }

  take({ type, data }) {
    if (type === "stream_data") this.#streamed(data);
    else if (type === "approval_request" || data?.eventType === "approval_request") this.#asked(data);
    else if (type === "approved" || type === "rejected") this.#change(data.runId, data.agentId, () => ({ approval: null }));
    else if (data?.eventType === "run_status") this.#status(data);
  }

  #status({ runId, agentId, status, error }) {
    if (status === "completed" || this.traces.has(runId)) return;
    this.#change(runId, agentId, (run) => ({
      status,
      error: error ?? run.error,
      approval: status === "input_required" ? run.approval : null,
    }));
  }

  #streamed({ stream, runId, agentId, content, stage, tool }) {
    if (this.traces.has(runId)) return;
    if (stream === "tokens") return this.#change(runId, agentId, (run) => ({ text: run.text + content }));
    // The answer itself is the message.
    if (stage === "answer") return;
    this.#change(runId, agentId, (run) => ({ steps: [...run.steps, { kind: stage, content, tool }] }));
  }

  #asked(data) {
    const { calls, expiresAt } = data;
    this.#change(data.runId, data.agentId, () => ({ status: "input_required", approval: { calls, expiresAt } }));
  }

  /** Its answer is written: what remains is how it came about. */
  answered(runId) {
    const run = this.runs.value.find((one) => one.id === runId);
    if (!runId || !run) return;
    this.traces.set(runId, run.steps);
    if (this.traces.size > TRACES) this.traces.delete(this.traces.keys().next().value);
    this.runs.value = this.runs.value.filter((one) => one !== run);
  }

  /** After a lost connection: how the runs that were under way stand now. */
  async catchUp() {
    try {
      const open = (await api("/runs")).runs.filter((run) => run.conversation_id === this.conversation);
      for (const run of open) this.#change(run.id, run.agent, () => ({ status: run.status }));
      for (const run of this.runs.value.filter((one) => !ENDED.includes(one.status))) await this.#look(run);
    } catch {
      // The next event tells.
    }
  }

  async #look({ id, agent, text }) {
    const now = await api(`/runs/${part(id)}`);
    if (now.status === "completed") return this.answered(id);
    const steps = now.steps.filter((step) => step.kind !== "answer");
    this.#change(id, agent, () => ({ status: now.status, error: now.error ?? null, steps, text }));
  }

  cancel(id) {
    return api(`/runs/${part(id)}`, { method: "DELETE" });
  }

  decide(runId, approve, reason) {
    return request(approve ? "approve" : "reject", { runId, reason });
  }

  dismiss(id) {
    this.runs.value = this.runs.value.filter((run) => run.id !== id);
  }
}
