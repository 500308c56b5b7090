let reconnectInterval = 1000;

function connect() {
  const ws = new WebSocket('ws://localhost:3001/ws');
  
  ws.onclose = () => {
    setTimeout(connect, reconnectInterval);
    reconnectInterval = Math.min(reconnectInterval * 2, 30000);
  };
  
  ws.onopen = () => {
    reconnectInterval = 1000;
  };
}
