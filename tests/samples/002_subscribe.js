// Subscribe to agent status updates
ws.send(JSON.stringify({
  type: 'subscribe',
  data: {
    events: ['agent_status', 'emotion_change', 'memory_update']
  }
}));
