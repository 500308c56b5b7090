// The caller's token or API key. It is kept in session storage, which ends with the tab, and nowhere else.
const PLACE = "callboard-token";

export const token = {
  get() {
    return sessionStorage.getItem(PLACE) ?? "";
  },
  set(value) {
    const trimmed = value.trim();
    if (trimmed) sessionStorage.setItem(PLACE, trimmed);
    else sessionStorage.removeItem(PLACE);
  },
};
