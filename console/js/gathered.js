// What happens often and need be done once.

/** Milliseconds in which calls become one: soon enough for people, seldom enough for the server. */
const SOON = 800;

/** Calls made within a moment are one call of `work` at its end; `end()` gives it up. */
export function gathered(work) {
  let timer = 0;
  const call = () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, SOON);
  };
  return { call, end: () => clearTimeout(timer) };
}
