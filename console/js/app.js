// The frame around every page: where one can go, how the connection stands, and the page itself.
import { ChannelsPage } from "./pages/channels.js";
import { ConversationPage } from "./pages/conversation.js";
import { OverviewPage } from "./pages/overview.js";
import { RunPage } from "./pages/run.js";
import { SystemPage } from "./pages/system.js";
import { useObservable } from "./observable.js";
import { Lock } from "./parts/lock.js";
import { Signal } from "./parts/signal.js";
import { ThemeSwitch } from "./parts/theme-switch.js";
import { link, route } from "./router.js";
import { connection } from "./socket.js";
import { html, useEffect, useRef } from "./ui.js";

const PAGES = [
  { name: "overview", title: "Overview", icon: "M4 13h6V4H4zM14 20h6V4h-6zM4 20h6v-4H4z", page: OverviewPage },
  { name: "conversation", title: "Conversations", icon: "M4 5h16v11H9l-5 4z", page: ConversationPage },
  { name: "run", also: "runs", title: "Runs", icon: "M4 7h9M8 12h12M6 17h8", page: RunPage },
  { name: "channels", title: "Channels", icon: "M5 9a10 10 0 0 1 14 0M8 13a6 6 0 0 1 8 0M12 17v1", page: ChannelsPage },
  { name: "system", title: "System", icon: "M5 6h14M5 12h14M5 18h14M9 4v4M15 10v4M8 16v4", page: SystemPage },
];

function Navigation({ current }) {
  return html`<nav class="nav" aria-label="Pages">
    ${PAGES.map(
      ({ name, title, icon }) => html`<a key=${name} href=${link(name)} aria-current=${name === current ? "page" : undefined}>
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d=${icon} /></svg><span>${title}</span>
      </a>`,
    )}
  </nav>`;
}

export function App() {
  const { page: name, id } = useObservable(route);
  const { phase } = useObservable(connection);
  const main = useRef(null);
  const first = useRef(true);
  const current = PAGES.find((page) => page.name === name || page.also === name) ?? PAGES[0];
  useEffect(() => {
    document.title = `${id || current.title} · Callboard`;
    // Who goes to another page with the keyboard or by ear starts at its beginning.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [current, id]);
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current?.focus())}>Skip to the content</a>
    <header class="top">
      <a class="brand" href=${link("overview")}><img src="/console/mark.svg" alt="" width="28" height="28" />Callboard</a>
      <${Navigation} current=${current.name} />
      <div class="tools"><${Signal} /><${ThemeSwitch} /></div>
    </header>
    <main id="main" ref=${main} tabindex="-1" class=${`page page-${current.name}`}>
      ${phase === "locked" ? html`<${Lock} />` : html`<${current.page} key=${current.name} ...${name === current.also ? { of: id } : { id }} />`}
    </main>
  `;
}
