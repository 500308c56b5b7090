// An agent in a process of its own: it joins a Callboard server, does what it is asked, and shows how.
//
//   callboard token --tenant default --agent counter      # prints a token
//   npm install
//   CALLBOARD_TOKEN=… node agent.js
//
// From then on anybody can ask it: {"type":"chat","targetAgent":"counter","data":{"message":"how many words are these"}}

const { randomUUID } = require('node:crypto');
const WebSocket = require('ws');

const URL = process.env.CALLBOARD_URL || 'ws://127.0.0.1:8080/v1/ws';
const TOKEN = process.env.CALLBOARD_TOKEN || '';
const HEARTBEAT = 20_000; // milliseconds
const LONGEST_PAUSE = 30_000; // between two attempts to connect
let pause = 1000;

// The agent's trade. Replace this; `say` shows a step to those who watch.
async function work(text, say) {
  await say('Counting the words');
  return `${text.split(/\s+/).filter(Boolean).length} words`;
}

function connect() {
  const socket = new WebSocket(URL, { headers: { Authorization: `Bearer ${TOKEN}` } });
  const unacknowledged = new Map();
  let beat;

  // Sends a frame and waits until the server has acknowledged it.
  function send(frame) {
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(id, { type: 'ERROR', error: 'not acknowledged in time' }), 30_000);
      unacknowledged.set(id, { resolve, reject, timer });
      socket.send(JSON.stringify({ id, ...frame }), (error) => error && settle(id, { type: 'ERROR', error: error.message }));
    });
  }

  function settle(id, frame) {
    const waiting = unacknowledged.get(id);
    if (!waiting) return;
    unacknowledged.delete(id);
    clearTimeout(waiting.timer);
    if (frame.type === 'ACK') waiting.resolve(frame);
    else waiting.reject(new Error(frame.error));
  }

  // Does one piece of work. What has a run_id is asked of this agent; the rest is a message like any other.
  async function answer(message) {
    if (!message.metadata?.run_id) {
      console.log('message:', message.agent_id, message.content);
      return;
    }
    const run = message.id;
    try {
      const text = await work(message.content, (what) => send({ type: 'step', reply_to: run, content: what }));
      await send({ type: 'message', reply_to: run, content: text });
      console.log('answered:', run);
    } catch (error) {
      // Cancelled meanwhile, for example: the server says so, and the run has ended there.
      console.log('not answered:', run, error.message);
    }
  }

  socket.on('open', () => {
    console.log('connected');
    pause = 1000;
    beat = setInterval(() => socket.send(JSON.stringify({ type: 'heartbeat' })), HEARTBEAT);
  });
  socket.on('message', (text) => {
    const frame = JSON.parse(text);
    if (frame.type === 'ACK' || frame.type === 'ERROR') settle(frame.message_id, frame);
    else if (frame.type === 'message') answer(frame);
  });
  socket.on('unexpected-response', (request, response) => {
    request.destroy();
    if (response.statusCode === 401 || response.statusCode === 403) {
      console.error('refused:', response.statusCode);
      process.exit(1);
    }
    socket.emit('close');
  });
  socket.on('error', (error) => console.log('connection lost:', error.message));
  socket.once('close', () => {
    clearInterval(beat);
    for (const id of [...unacknowledged.keys()]) settle(id, { type: 'ERROR', error: 'disconnected' });
    setTimeout(connect, pause * (0.5 + Math.random() / 2));
    pause = Math.min(LONGEST_PAUSE, pause * 2);
  });
}

connect();
