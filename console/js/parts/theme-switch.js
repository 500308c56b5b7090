// Light, dark, or as the system has it.
import { useObservable } from "../observable.js";
import { nextTheme, theme } from "../theme.js";
import { html } from "../ui.js";

const ICONS = {
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  dark: "M19 14.5A8 8 0 0 1 9.5 5a8 8 0 1 0 9.5 9.5z",
};
const NAMES = { auto: "as the system has them", light: "light", dark: "dark" };

export function ThemeSwitch() {
  const choice = useObservable(theme);
  const label = `Colours: ${NAMES[choice]}. Change`;
  return html`<button class="icon" aria-label=${label} title=${label} onClick=${nextTheme}>
    <svg viewBox="0 0 24 24" aria-hidden="true" class=${choice}><path d=${ICONS[choice]} /></svg>
  </button>`;
}
