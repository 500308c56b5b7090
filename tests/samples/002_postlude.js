// Somebody who tries the examples one after another and prints what comes of each.
const came = [];
const waiting = [];
const sent = [];
const real = ws.send.bind(ws);
ws.send = (text) => { sent.push(text); real(text); };
ws.on('message', (data) => { came.push(JSON.parse(data)); waiting.splice(0).forEach((wake) => wake()); });

// The first message that fits, of all that came after `from`.
async function next(from, fits) {
  for (;;) {
    const found = came.slice(from).find(fits);
    if (found) return found;
    await new Promise((wake) => waiting.push(wake));
  }
}

async function tried(name, ...fits) {
  const from = came.length;
  examples[name]();
  const answers = [];
  for (const fit of fits) answers.push(await next(from, fit));
  console.log('ANSWER ' + JSON.stringify({ name, answers }));
}

const of = (type) => (message) => message.type === type;
const event = (name) => (message) => message.type === 'event' && message.data.eventType === name;

ws.on('open', async () => {
  await tried('subscribe', of('subscribed'));
  await tried('chat', of('chat_response'), event('agent_status'));
  await tried('command', of('command_result'));
  await tried('stream', of('subscribed'));
  let from = came.length;
  real(JSON.stringify({ type: 'chat', targetAgent: 'nyx', data: { message: 'You are wonderful, I love your great work!' } }));
  const watched = [await next(from, event('emotion_change')), await next(from, of('stream_data'))];
  console.log('ANSWER ' + JSON.stringify({ name: 'watched', answers: watched }));
  await tried('join', of('conversation_joined'));
  await tried('handoff', of('agent_handoff'));
  await tried('status', of('status_update'));
  await tried('batch', of('batch_result'));

  // Another member of the conversation sees who types.
  const other = new WebSocket(ws.url);
  const seen = [];
  const both = new Promise((done) => {
    other.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === 'conversation_joined') examples.typing();
      if (message.type.startsWith('typing_')) seen.push(message);
      if (seen.length === 2) done();
    };
  });
  other.onopen = () => other.send(JSON.stringify({ type: 'join_conversation', data: { conversationId: 'conv_123' } }));
  await both;
  console.log('ANSWER ' + JSON.stringify({ name: 'typing', answers: seen }));
  other.close();

  // Two pings of the server, each answered by the example's handler; the server says nothing to that.
  examples.heartbeat();
  from = came.length;
  for (let pings = 0; pings < 2; pings += 1) {
    const ping = await next(from, of('ping'));
    from = came.indexOf(ping) + 1;
  }
  console.log('PONGS ' + sent.filter((text) => text === '{"type":"pong"}').length);
  console.log('ERRORS ' + JSON.stringify(came.filter(of('error'))));
  ws.close(1000);
});
