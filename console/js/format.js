// Numbers and times as people read them.
const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return "< 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit += 1) count /= 1024;
  return `${unit ? count.toFixed(1) : count} ${units[unit]}`;
}

/** The time of day; of another day, that day too. */
export function clock(at) {
  const moment = new Date(at);
  const time = CLOCK.format(moment);
  return moment.toDateString() === new Date().toDateString() ? time : `${DAY.format(moment)}, ${time}`;
}

/** How long ago, in words. */
export function ago(at) {
  const ms = Date.now() - new Date(at).getTime();
  return ms < 10_000 ? "just now" : `${duration(ms).replace(/ \d+ s$/, "")} ago`;
}

/** JSON as people read it, text as itself. */
export function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
