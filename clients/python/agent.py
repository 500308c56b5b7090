"""An agent in a process of its own: it joins a Callboard server, does what it is asked, and shows how.

    callboard token --tenant default --agent counter      # prints a token
    pip install -r requirements.txt
    CALLBOARD_TOKEN=… python agent.py

From then on anybody can ask it: {"type":"chat","targetAgent":"counter","data":{"message":"how many words are these"}}
"""

import asyncio
import json
import os
import random
import uuid

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

URL = os.environ.get("CALLBOARD_URL", "ws://127.0.0.1:8080/v1/ws")
TOKEN = os.environ.get("CALLBOARD_TOKEN", "")
HEARTBEAT = 20  # seconds
LONGEST_PAUSE = 30  # seconds between two attempts to connect


async def work(text, say):
    """The agent's trade. Replace this; `say` shows a step to those who watch."""
    await say("Counting the words")
    return f"{len(text.split())} words"


class Agent:
    def __init__(self, socket):
        self.socket = socket
        self.unacknowledged = {}

    async def send(self, **frame):
        """Sends a frame and waits until the server has acknowledged it."""
        frame["id"] = uuid.uuid4().hex
        acknowledged = self.unacknowledged[frame["id"]] = asyncio.get_running_loop().create_future()
        try:
            await self.socket.send(json.dumps(frame))
            return await asyncio.wait_for(acknowledged, 30)
        finally:
            self.unacknowledged.pop(frame["id"], None)

    async def answer(self, message):
        """Does one piece of work. What has a run_id is asked of this agent; the rest is a message like any other."""
        if "run_id" not in (message.get("metadata") or {}):
            print("message:", message.get("agent_id"), message["content"], flush=True)
            return
        run = message["id"]
        try:
            text = await work(message["content"], lambda what: self.send(type="step", reply_to=run, content=what))
            await self.send(type="message", reply_to=run, content=text)
            print("answered:", run, flush=True)
        except (RuntimeError, asyncio.TimeoutError, ConnectionClosed) as error:
            # Cancelled meanwhile, for example: the server says so, and the run has ended there.
            print("not answered:", run, error, flush=True)

    async def beat(self):
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self.socket.send(json.dumps({"type": "heartbeat"}))

    async def serve(self):
        tasks = {asyncio.create_task(self.beat())}
        try:
            async for text in self.socket:
                frame = json.loads(text)
                waiting = self.unacknowledged.get(frame.get("message_id"))
                if frame["type"] in ("ACK", "ERROR"):
                    if waiting and not waiting.done():
                        if frame["type"] == "ACK":
                            waiting.set_result(frame)
                        else:
                            waiting.set_exception(RuntimeError(frame["error"]))
                elif frame["type"] == "message":
                    task = asyncio.create_task(self.answer(frame))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()


async def main():
    pause = 1
    while True:
        try:
            async with connect(URL, additional_headers={"Authorization": f"Bearer {TOKEN}"}) as socket:
                print("connected", flush=True)
                pause = 1
                await Agent(socket).serve()
        except InvalidStatus as error:
            if error.response.status_code in (401, 403):
                raise SystemExit(f"refused: {error.response.body.decode(errors='replace')}") from error
        except (OSError, ConnectionClosed) as error:
            print("connection lost:", error, flush=True)
        await asyncio.sleep(pause * random.uniform(0.5, 1))
        pause = min(LONGEST_PAUSE, pause * 2)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
