ws.send(JSON.stringify({
  type: 'join_conversation',
  data: {
    conversationId: 'multi_conv_789',
    agents: ['nyx', 'aria', 'sage']
  }
}));
