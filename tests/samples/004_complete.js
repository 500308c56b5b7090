// Connect to the WebSocket
const socket = new WebSocket('wss://your-api-url/chat/ws?token=your-bearer-token');

// Handle connection open
socket.onopen = function(e) {
  console.log('Connection established');
  
  // Request thread history
  const historyRequest = {
    type: 'history',
    thread_id: '123e4567-e89b-12d3-a456-426614174000'
  };
  socket.send(JSON.stringify(historyRequest));
};

// Handle messages from server
socket.onmessage = function(event) {
  const message = JSON.parse(event.data);
  
  if (message.type === 'error') {
    console.error('Error:', message.message);
    return;
  }
  
  console.log('Received message:', message);
  
  // Display message in UI
  if (message.type === 'message') {
    displayMessage(message);
  }
};

// Handle errors
socket.onerror = function(error) {
  console.error('WebSocket Error:', error);
};

// Handle connection close
socket.onclose = function(event) {
  if (event.wasClean) {
    console.log(`Connection closed cleanly, code=${event.code}, reason=${event.reason}`);
  } else {
    console.error('Connection died');
  }
};

// Function to send a new message
function sendMessage(content) {
  const chatMessage = {
    type: 'message',
    thread_id: '123e4567-e89b-12d3-a456-426614174000',
    agent_id: null,
    content: content
  };
  socket.send(JSON.stringify(chatMessage));
}

// Example UI function to display messages
function displayMessage(message) {
  const messageElement = document.createElement('div');
  messageElement.className = `message ${message.role}`;
  messageElement.textContent = message.content;
  document.getElementById('chat-container').appendChild(messageElement);
}
