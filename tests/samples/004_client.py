import asyncio
import json
import websockets
import uuid

async def chat_client():
    # Connect to the WebSocket with authentication
    uri = "wss://your-api-url/chat/ws?token=your-bearer-token"
    
    async with websockets.connect(uri) as websocket:
        # Generate a new thread ID or use an existing one
        thread_id = str(uuid.uuid4())
        
        # Request thread history (if using an existing thread)
        history_request = {
            "type": "history",
            "thread_id": thread_id
        }
        await websocket.send(json.dumps(history_request))
        
        # Process history messages
        async for message in websocket:
            data = json.loads(message)
            print(f"Received: {data}")
            
            # After receiving history, send a new message
            if data.get("type") == "message":
                # Send a new message
                chat_message = {
                    "type": "message",
                    "thread_id": thread_id,
                    "agent_id": None,
                    "content": "Hello, I'd like to learn about blockchain technology."
                }
                await websocket.send(json.dumps(chat_message))
                break  # Break after sending one message for this example
        
        # Continue processing responses
        async for message in websocket:
            data = json.loads(message)
            print(f"Received: {data}")

# Run the client
asyncio.run(chat_client())
