// What the document's example has around it in a browser: WebSocket, and a page to show messages on.
const WebSocket = require('ws');
const shown = [];
const container = { appendChild: (element) => { shown.push(element); onShown(element); } };
const document = {
  createElement: (tag) => ({ tag }),
  getElementById: (id) => (id === 'chat-container' ? container : null),
};
