// Start typing
ws.send(JSON.stringify({
  type: 'typing_start',
  conversationId: 'conv_123',
  userId: 'user_456'
}));

// Stop typing
ws.send(JSON.stringify({
  type: 'typing_stop',
  conversationId: 'conv_123',
  userId: 'user_456'
}));
