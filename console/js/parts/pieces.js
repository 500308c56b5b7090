// Small pieces that every page uses.
import { html } from "../ui.js";

/** A colour of its own for a name, out of a few that are told apart in light and dark. */
export function hue(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return `hue-${sum % 6}`;
}

export function Avatar({ name, small = false }) {
  return html`<span class=${`avatar ${hue(name)} ${small ? "small" : ""}`} aria-hidden="true">${name.slice(0, 2)}</span>`;
}

export function Pill({ tone = "quiet", children }) {
  return html`<span class=${`pill ${tone}`}>${children}</span>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><p class="title">${title}</p>${children && html`<p>${children}</p>`}</div>`;
}

/** What went wrong, said aloud; an empty text says nothing. */
export function Problem({ text }) {
  return html`<p class="problem" role="alert" hidden=${!text}>${text}</p>`;
}

export const TONES = {
  pending: "quiet", processing: "busy", input_required: "warn", completed: "good", failed: "bad", cancelled: "quiet",
  timeout: "bad", idle: "quiet", active: "busy", online: "good", offline: "quiet",
};
export const STATUS = { input_required: "waits for approval", processing: "at work", pending: "waiting", timeout: "too late" };
export const statusWord = (status) => STATUS[status] ?? status;
