"""An agent in this process: it joins a server over `/v1/ws`, and does what it is asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ._address import Address, Pause
from ._errors import CallboardError, ConnectionLost, Failed, Unreachable

_log = logging.getLogger("callboard")
_HEARTBEAT = 20.0
_PATIENCE = 30.0


class Run:
    """One piece of work: what is asked, and `step` to show how it goes."""

    def __init__(self, line: _Line, frame: dict[str, Any]) -> None:
        self._line = line
        self.message_id: str = frame["id"]
        self.text = frame["content"] if isinstance(frame["content"], str) else json.dumps(frame["content"])
        self.metadata: dict[str, Any] = frame["metadata"]
        self.id: str = self.metadata["run_id"]
        self.kind: str = self.metadata.get("kind", "chat")
        self.conversation: str = self.metadata.get("conversation_id", "")
        self.history: list[dict[str, Any]] = self.metadata.get("history") or []

    async def step(self, text: str, **notes: Any) -> None:
        """Shows those who watch what is being done; `notes`: stage, importance, tool."""
        await self._line.send({"type": "step", "reply_to": self.message_id, "content": text, "metadata": notes})


Answer = Callable[[Run], Awaitable[str]]


class Agent:
    """An agent. Its name is that of its token, which needs the scope `agent:serve`."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._address = Address(url, token)
        self._answer: Answer | None = None

    def answer(self, answer: Answer) -> Answer:
        """Decorates the function that does the work: it is given a `Run` and returns what is answered."""
        self._answer = answer
        return answer

    async def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serves until it is cancelled, over as many connections as it takes; `ready` is called at each."""
        if self._answer is None:
            raise TypeError("an agent needs a function that is decorated with answer")
        pause, first = Pause(), True
        while True:
            try:
                line = _Line(await self._address.open("/v1/ws"), self._answer)
                first = False
                pause.reset()
                if ready:
                    ready()
                await line.serve()
            except Unreachable as error:
                if first:
                    raise
                _log.info("%s", error)
            await pause.wait()

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """The same as a whole program, until Ctrl-C ends it."""
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self.serve(ready))


class _Line:
    """One connection of an agent."""

    def __init__(self, socket: ClientConnection, answer: Answer) -> None:
        self._socket = socket
        self._answer = answer
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def send(self, frame: dict[str, Any]) -> None:
        """Sends a frame and waits until the server has acknowledged it."""
        id = uuid.uuid4().hex
        acknowledged = self._waiting[id] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps({"id": id, **frame}))
            await asyncio.wait_for(acknowledged, _PATIENCE)
        except ConnectionClosed as error:
            raise ConnectionLost("the connection was lost") from error
        finally:
            del self._waiting[id]

    async def serve(self) -> None:
        tasks = {asyncio.create_task(self._beat())}
        try:
            async for text in self._socket:
                frame = json.loads(text)
                if frame["type"] in ("ACK", "ERROR"):
                    self._settle(frame)
                elif frame["type"] == "message" and "run_id" in (frame.get("metadata") or {}):
                    task = asyncio.create_task(self._work(Run(self, frame)))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except ConnectionClosed:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await self._socket.close()

    def _settle(self, frame: dict[str, Any]) -> None:
        waiting = self._waiting.get(frame.get("message_id") or "")
        if waiting and not waiting.done():
            if frame["type"] == "ACK":
                waiting.set_result(None)
            else:
                waiting.set_exception(Failed(frame.get("code", ""), frame["error"], frame.get("details", "")))

    async def _work(self, run: Run) -> None:
        """Does a run. One that fails has its reason as the answer, for the asker must not wait for nothing."""
        try:
            text = await self._answer(run)
        except CallboardError as error:
            _log.info("run %s was not answered: %s", run.id, error)
            return
        except Exception as error:
            _log.exception("run %s failed", run.id)
            text = f"I could not do it: {type(error).__name__}"
        # Cancelled meanwhile, for example: the server says so, and the run has ended there.
        with contextlib.suppress(CallboardError, asyncio.TimeoutError):
            await self.send({"type": "message", "reply_to": run.message_id, "content": text})

    async def _beat(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(_HEARTBEAT)
                await self._socket.send('{"type":"heartbeat"}')
