// Request status update
ws.send(JSON.stringify({
  type: 'status',
  targetAgent: 'nyx'
}));
