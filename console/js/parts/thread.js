// What was said and what goes on, with the composer below. It stays at the end as long as the reader is there.
import { useObservable } from "../observable.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../ui.js";
import { Composer } from "./composer.js";
import { Message, Pending } from "./message.js";
import { Empty, Problem } from "./pieces.js";
import { Working } from "./working.js";

/** So near to the end counts as being there, in pixels. */
const NEAR = 80;

export function Thread({ conversation, view }) {
  const runs = useObservable(conversation.work.runs);
  const [problem, setProblem] = useState("");
  const list = useRef(null);
  const atEnd = useRef(true);
  const grown = useRef(0);
  const first = view.messages[0]?.seq;

  useLayoutEffect(() => {
    const element = list.current;
    // An older page must not push away what is being read.
    if (grown.current) element.scrollTop += element.scrollHeight - grown.current;
    grown.current = 0;
  }, [first]);
  useEffect(() => {
    if (atEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [view.messages, view.pending, runs]);

  const scrolled = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
    atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
  };
  const earlier = () => {
    grown.current = list.current.scrollHeight;
    conversation.earlier().catch((error) => setProblem(error.message));
  };
  const empty = view.ready && !view.messages.length && !view.pending.length && !runs.length;
  const names = view.typing.join(", ");
  return html`<div class="thread">
    <div class="scroll" ref=${list} onScroll=${scrolled} tabindex="0" role="region" aria-label="What was said">
      ${view.before && html`<button class="small earlier" onClick=${earlier}>Earlier messages</button>`}
      ${empty && html`<${Empty} title="Nothing was said here yet">Ask for a calculation, a search in the code, or the mood of a text.<//>`}
      <div role="log" aria-label="Messages" aria-relevant="additions"><ol class="messages">
        ${view.messages.map(
          (message) => html`<${Message} key=${`m${message.seq}`} message=${message}
            trace=${conversation.work.traces.get(`run-${message.id.slice(4)}`)} />`,
        )}
      </ol></div>
      <ol class="messages under-way" aria-label="Under way">
        ${runs.map((run) => html`<${Working} key=${run.id} run=${run} work=${conversation.work} />`)}
        ${view.pending.map((question) => html`<${Pending} key=${question.id} question=${question} conversation=${conversation} />`)}
      </ol>
    </div>
    <p class="typing" role="status">${names ? `${names} ${view.typing.length > 1 ? "are" : "is"} writing…` : ""}</p>
    <${Problem} text=${problem || view.error} />
    <${Composer} conversation=${conversation} agents=${view.agents} />
  </div>`;
}
