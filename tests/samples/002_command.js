ws.send(JSON.stringify({
  type: 'command',
  data: {
    instruction: 'analyze project structure',
    parameters: {
      path: './src'
    }
  },
  targetAgent: 'nyx',
  priority: 'high'
}));
