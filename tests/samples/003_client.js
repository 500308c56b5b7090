class ArtCafeWebSocketClient {
  constructor(baseUrl, token, channelId = null) {
    this.baseUrl = baseUrl;
    this.token = token;
    this.channelId = channelId;
    this.socket = null;
    this.messageCallbacks = new Map();
    this.reconnectAttempts = 0;
    this.maxReconnectAttempts = 5;
    this.reconnectTimeout = 1000; // Start with 1 second, will increase exponentially
  }

  connect() {
    // Build the WebSocket URL
    let url = `${this.baseUrl}/ws?token=${this.token}`;
    if (this.channelId) {
      url += `&channel_id=${this.channelId}`;
    }

    // Create WebSocket connection
    this.socket = new WebSocket(url);

    // Set up event handlers
    this.socket.onopen = this._onOpen.bind(this);
    this.socket.onmessage = this._onMessage.bind(this);
    this.socket.onclose = this._onClose.bind(this);
    this.socket.onerror = this._onError.bind(this);

    // Return a promise that resolves when the connection is open
    return new Promise((resolve, reject) => {
      const onOpen = () => {
        this.socket.removeEventListener('open', onOpen);
        resolve();
      };
      const onError = (error) => {
        this.socket.removeEventListener('error', onError);
        reject(error);
      };
      this.socket.addEventListener('open', onOpen);
      this.socket.addEventListener('error', onError);
    });
  }

  disconnect() {
    if (this.socket) {
      this.socket.close();
      this.socket = null;
    }
  }

  sendMessage(content, metadata = {}) {
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) {
      throw new Error('WebSocket is not connected');
    }

    const messageId = this._generateId();
    const message = {
      id: messageId,
      type: 'message',
      content: content,
      metadata: metadata
    };

    // Send the message
    this.socket.send(JSON.stringify(message));

    // Return a promise that resolves when the message is acknowledged
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => {
        this.messageCallbacks.delete(messageId);
        reject(new Error('Message acknowledgment timeout'));
      }, 5000);

      this.messageCallbacks.set(messageId, {
        resolve,
        reject,
        timeout
      });
    });
  }

  onMessage(callback) {
    this._onMessageCallback = callback;
    return this;
  }

  _onOpen(event) {
    console.log('WebSocket connected');
    this.reconnectAttempts = 0;
  }

  _onMessage(event) {
    try {
      const message = JSON.parse(event.data);

      // Handle ACK messages
      if (message.type === 'ACK' && message.message_id) {
        const callback = this.messageCallbacks.get(message.message_id);
        if (callback) {
          clearTimeout(callback.timeout);
          callback.resolve(message);
          this.messageCallbacks.delete(message.message_id);
        }
        return;
      }

      // Handle ERROR messages
      if (message.type === 'ERROR' && message.message_id) {
        const callback = this.messageCallbacks.get(message.message_id);
        if (callback) {
          clearTimeout(callback.timeout);
          callback.reject(new Error(message.error));
          this.messageCallbacks.delete(message.message_id);
        }
        return;
      }

      // Handle regular messages
      if (this._onMessageCallback) {
        this._onMessageCallback(message);
      }
    } catch (error) {
      console.error('Error parsing WebSocket message:', error);
    }
  }

  _onClose(event) {
    console.log('WebSocket disconnected:', event.code, event.reason);

    // Clean up callbacks
    for (const [messageId, callback] of this.messageCallbacks.entries()) {
      clearTimeout(callback.timeout);
      callback.reject(new Error('WebSocket disconnected'));
      this.messageCallbacks.delete(messageId);
    }

    // Attempt to reconnect if not a deliberate close
    if (event.code !== 1000 && this.reconnectAttempts < this.maxReconnectAttempts) {
      this.reconnectAttempts++;
      const delay = Math.min(30000, this.reconnectTimeout * Math.pow(2, this.reconnectAttempts - 1));
      console.log(`Reconnecting in ${delay}ms (attempt ${this.reconnectAttempts}/${this.maxReconnectAttempts})...`);
      setTimeout(() => this.connect(), delay);
    }
  }

  _onError(error) {
    console.error('WebSocket error:', error);
  }

  _generateId() {
    return Date.now().toString(36) + Math.random().toString(36).substr(2, 9);
  }
}

// Usage example
async function connectToChannel() {
  const client = new ArtCafeWebSocketClient(
    'wss://api.artcafe.ai/v1',
    'your_jwt_token',
    'channel-123'
  );

  try {
    await client.connect();
    
    // Set up message handler
    client.onMessage((message) => {
      console.log('Received message:', message);
      // Handle message...
    });
    
    // Send a message
    await client.sendMessage('Hello, world!', { importance: 'high' });
    console.log('Message sent and acknowledged');
    
    // Disconnect after some time
    setTimeout(() => {
      client.disconnect();
    }, 60000);
  } catch (error) {
    console.error('Error connecting to WebSocket:', error);
  }
}

connectToChannel();
