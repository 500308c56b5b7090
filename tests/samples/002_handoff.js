ws.send(JSON.stringify({
  type: 'agent_handoff',
  data: {
    fromAgent: 'nyx',
    toAgent: 'sage',
    conversationId: 'conv_123',
    reason: 'Specialized knowledge required'
  }
}));
