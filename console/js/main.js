import { App } from "./app.js";
import { connect } from "./socket.js";
import { html, render } from "./ui.js";

const root = document.getElementById("console");
root.replaceChildren();
render(html`<${App} />`, root);
connect();
