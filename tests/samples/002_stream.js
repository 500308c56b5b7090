// Subscribe to thought stream
ws.send(JSON.stringify({
  type: 'subscribe',
  data: {
    stream: 'thoughts',
    agentId: 'nyx',
    filter: {
      minImportance: 0.7
    }
  }
}));
