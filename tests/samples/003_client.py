import json
import asyncio
import websockets
import time
import random
import string

class ArtCafeWebSocketClient:
    def __init__(self, base_url, token, channel_id=None):
        self.base_url = base_url
        self.token = token
        self.channel_id = channel_id
        self.websocket = None
        self.message_callbacks = {}
        self.on_message_callback = None
        self.reconnect_attempts = 0
        self.max_reconnect_attempts = 5
        self.reconnect_timeout = 1  # Start with 1 second, will increase exponentially
        self.running = False
    
    async def connect(self):
        # Build the WebSocket URL
        url = f"{self.base_url}/ws?token={self.token}"
        if self.channel_id:
            url += f"&channel_id={self.channel_id}"
        
        try:
            # Create WebSocket connection
            self.websocket = await websockets.connect(url)
            self.running = True
            self.reconnect_attempts = 0
            print("WebSocket connected")
            
            # Start the message receiving loop
            asyncio.create_task(self._message_loop())
            
            return True
        except Exception as e:
            print(f"Error connecting to WebSocket: {e}")
            self.websocket = None
            return False
    
    async def disconnect(self):
        self.running = False
        if self.websocket:
            await self.websocket.close()
            self.websocket = None
    
    async def send_message(self, content, metadata=None):
        if not self.websocket:
            raise Exception("WebSocket is not connected")
        
        message_id = self._generate_id()
        message = {
            "id": message_id,
            "type": "message",
            "content": content,
            "metadata": metadata or {}
        }
        
        # Send the message
        await self.websocket.send(json.dumps(message))
        
        # Create a future for the acknowledgment
        future = asyncio.Future()
        self.message_callbacks[message_id] = future
        
        # Set a timeout for the acknowledgment
        def timeout_callback():
            if not future.done():
                future.set_exception(Exception("Message acknowledgment timeout"))
                self.message_callbacks.pop(message_id, None)
        
        asyncio.get_event_loop().call_later(5, timeout_callback)
        
        # Wait for the acknowledgment
        return await future
    
    def on_message(self, callback):
        self.on_message_callback = callback
        return self
    
    async def _message_loop(self):
        try:
            while self.running and self.websocket:
                message = await self.websocket.recv()
                await self._handle_message(message)
        except websockets.exceptions.ConnectionClosed as e:
            print(f"WebSocket connection closed: {e}")
            await self._handle_disconnect()
        except Exception as e:
            print(f"Error in message loop: {e}")
            await self._handle_disconnect()
    
    async def _handle_message(self, message_data):
        try:
            message = json.loads(message_data)
            
            # Handle ACK messages
            if message.get("type") == "ACK" and "message_id" in message:
                message_id = message["message_id"]
                if message_id in self.message_callbacks:
                    self.message_callbacks[message_id].set_result(message)
                    self.message_callbacks.pop(message_id, None)
                return
            
            # Handle ERROR messages
            if message.get("type") == "ERROR" and "message_id" in message:
                message_id = message["message_id"]
                if message_id in self.message_callbacks:
                    self.message_callbacks[message_id].set_exception(
                        Exception(message.get("error", "Unknown error"))
                    )
                    self.message_callbacks.pop(message_id, None)
                return
            
            # Handle regular messages
            if self.on_message_callback:
                await self.on_message_callback(message)
        except json.JSONDecodeError:
            print(f"Error parsing WebSocket message: {message_data}")
        except Exception as e:
            print(f"Error handling WebSocket message: {e}")
    
    async def _handle_disconnect(self):
        self.websocket = None
        
        # Reject all pending callbacks
        for message_id, future in self.message_callbacks.items():
            if not future.done():
                future.set_exception(Exception("WebSocket disconnected"))
        self.message_callbacks.clear()
        
        # Attempt to reconnect if not a deliberate close
        if self.running and self.reconnect_attempts < self.max_reconnect_attempts:
            self.reconnect_attempts += 1
            delay = min(30, self.reconnect_timeout * (2 ** (self.reconnect_attempts - 1)))
            print(f"Reconnecting in {delay} seconds (attempt {self.reconnect_attempts}/{self.max_reconnect_attempts})...")
            await asyncio.sleep(delay)
            await self.connect()
    
    def _generate_id(self):
        timestamp = int(time.time() * 1000)
        random_str = ''.join(random.choices(string.ascii_lowercase + string.digits, k=8))
        return f"{timestamp}-{random_str}"

# Usage example
async def connect_to_channel():
    client = ArtCafeWebSocketClient(
        "wss://api.artcafe.ai/v1",
        "your_jwt_token",
        "channel-123"
    )
    
    try:
        await client.connect()
        
        # Set up message handler
        async def handle_message(message):
            print(f"Received message: {message}")
            # Handle message...
        
        client.on_message(handle_message)
        
        # Send a message
        response = await client.send_message("Hello, world!", {"importance": "high"})
        print(f"Message sent and acknowledged: {response}")
        
        # Keep the connection open for a while
        await asyncio.sleep(60)
        
        # Disconnect
        await client.disconnect()
    except Exception as e:
        print(f"Error: {e}")

# Run the example
if __name__ == "__main__":
    asyncio.run(connect_to_channel())
