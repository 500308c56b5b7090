// A run along its time: what it waited for, and each step where it was taken.
import { clock, duration, number, shown } from "../format.js";
import { html } from "../ui.js";

const at = (time) => new Date(time).getTime();

/** The stretches of a run: `{from, to, kind, title, step?}`, in order and without gaps. */
export function stretches(run, now) {
  const created = at(run.created_at);
  const end = run.ended_at ? at(run.ended_at) : now;
  const started = run.started_at ? at(run.started_at) : end;
  const list = [{ from: created, to: started, kind: "wait", title: "Waited", why: whyQueued(run) }];
  let last = started;
  for (const step of run.steps) {
    const asks = /^I wait for approval/.test(step.content);
    const waited = list.at(-1).asks;
    list.push({
      from: last,
      to: Math.max(last, at(step.at)),
      kind: waited ? "wait" : step.kind,
      title: waited ? "Waited for approval, then" : { planning: "Thought", action: "Did", answer: "Answered" }[step.kind] ?? step.kind,
      step,
      asks,
    });
    last = Math.max(last, at(step.at));
  }
  const why = run.status === "input_required" ? `${run.agent} waits for somebody to approve or reject.` : "";
  if (run.started_at && (!run.ended_at || end - last > 0)) {
    const writing = run.ended_at ? "Wrote it down" : run.status === "input_required" ? "Waits for approval" : "At work";
    list.push({ from: last, to: Math.max(last, end), kind: run.status === "input_required" ? "wait" : "rest", title: writing, why });
  }
  return list;
}

function whyQueued(run) {
  if (run.status === "pending") return `${run.agent} has other work before this, or is not at work yet.`;
  if (!run.started_at) return `It ended before ${run.agent} began.`;
  const ms = at(run.started_at) - at(run.created_at);
  return ms < 50 ? `${run.agent} was free.` : `${run.agent} had other work before this.`;
}

function Bar({ list, whole }) {
  // Narrow stretches stay visible; widths are attributes of the drawing, not styles of the page.
  const from = list[0].from;
  return html`<svg class="bar" viewBox="0 0 1000 28" preserveAspectRatio="none" aria-hidden="true">
    ${list.map((one, index) => {
      const x = ((one.from - from) / whole) * 1000;
      const width = Math.max(3, ((one.to - one.from) / whole) * 1000);
      return html`<rect key=${index} class=${one.kind} x=${Math.min(x, 997)} y="4" width=${width} height="20" rx="3" />`;
    })}
  </svg>`;
}

export function Timeline({ run, now }) {
  const list = stretches(run, now);
  const whole = Math.max(1, list.at(-1).to - list[0].from);
  return html`<section class="card" aria-labelledby="timeline-title">
    <header class="head"><h2 id="timeline-title">Timeline</h2><span class="note">${duration(whole)} in all</span></header>
    <${Bar} list=${list} whole=${whole} />
    <ol class="timeline">
      ${list.map(
        ({ from, to, kind, title, why, step }, index) => html`<li key=${index} class=${step?.ok === false ? "bad" : kind}>
          <div class="when"><time datetime=${new Date(from).toISOString()}>${clock(from)}</time><b>${duration(to - from)}</b></div>
          <div class="what">
            <p><strong>${title}</strong> ${step?.tool && html`<code class="tool">${step.tool}</code>`}
              ${step?.tokens && html`<span class="note">${number(step.tokens.input)} tokens read, ${number(step.tokens.output)} written</span>`}
              ${step?.ok === false && html` <span class="bad">it failed</span>`}</p>
            ${why && html`<p>${why}</p>`}
            ${step?.content && html`<p class="prose">${step.content}</p>`}
            ${step?.arguments !== undefined && html`<pre tabindex="0" aria-label="Arguments">${shown(step.arguments)}</pre>`}
          </div>
        </li>`,
      )}
    </ol>
  </section>`;
}
