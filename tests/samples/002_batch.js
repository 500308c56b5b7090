// Send multiple messages efficiently
ws.send(JSON.stringify({
  type: 'batch',
  data: {
    messages: [
      { type: 'chat', data: { message: 'First question' }},
      { type: 'chat', data: { message: 'Second question' }},
      { type: 'command', data: { instruction: 'summarize' }}
    ]
  }
}));
