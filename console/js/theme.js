// Light, dark, or as the system has it. The choice is a taste, not a secret: it is kept in local storage.
import { Observable } from "./observable.js";

const PLACE = "callboard-theme";
const CHOICES = ["auto", "light", "dark"];

const known = localStorage.getItem(PLACE);
export const theme = new Observable(CHOICES.includes(known) ? known : "auto");

function apply(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

apply(theme.value);
theme.watch((choice) => {
  apply(choice);
  localStorage.setItem(PLACE, choice);
});

export function nextTheme() {
  theme.value = CHOICES[(CHOICES.indexOf(theme.value) + 1) % CHOICES.length];
}

/** Calls `changed` when what is drawn with colours of its own must be drawn anew. */
export function watchColours(changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  const end = theme.watch(changed);
  return () => {
    system.removeEventListener("change", changed);
    end();
  };
}
