ws.send(JSON.stringify({
  type: 'chat',
  data: {
    message: 'What can you help me with?',
    conversationId: 'conv_123' // Optional
  },
  targetAgent: 'nyx'
}));
