"""A connection to `/ws` that is made again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ._address import Address, Pause
from ._errors import CallboardError, ConnectionLost, Refused, Unreachable, error_of

Frame = dict[str, Any]


class Follower(Protocol):
    """Someone who is told of frames, and subscribes anew on each connection."""

    def take(self, frame: Frame) -> None: ...

    def fail(self, error: CallboardError) -> None: ...

    async def resume(self) -> None: ...


class Connection:
    """Sends requests and gives their replies to who asked; all else goes to the followers."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.followers: list[Follower] = []
        self._ids = itertools.count(1)
        self._socket: ClientConnection | None = None
        self._online = asyncio.Event()
        self._waiting: dict[str, asyncio.Queue[Frame | CallboardError]] = {}
        self._task: asyncio.Task[None] | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._end: CallboardError | None = None

    async def open(self) -> None:
        """The first connection must come about; later ones are tried for until they do."""
        self._use(await self.address.open("/ws"))
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._end = ConnectionLost("the connection was closed")
        for task in (self._resuming, self._task):
            if task:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._socket:
            await self._socket.close()
        self._give_up(self._end)

    def _use(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._online.set()

    async def _run(self) -> None:
        pause = Pause()
        while True:
            if self._socket:
                await self._listen(self._socket, pause)
                self._lose()
            await pause.wait()
            try:
                self._use(await self.address.open("/ws"))
            except Unreachable:
                continue
            except CallboardError as error:
                self._end = error
                self._give_up(error)
                return
            self._resuming = asyncio.create_task(self._resume())

    async def _listen(self, socket: ClientConnection, pause: Pause) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                frame = json.loads(text)
                # It is only now that the server is known to be well.
                pause.reset()
                if frame["type"] == "ping":
                    await socket.send('{"type":"pong"}')
                    continue
                waiting = self._waiting.get(frame.get("id", ""))
                if waiting:
                    waiting.put_nowait(frame)
                for follower in list(self.followers):
                    follower.take(frame)

    async def _resume(self) -> None:
        for follower in list(self.followers):
            try:
                await follower.resume()
            except ConnectionLost:
                return
            except CallboardError as error:
                follower.fail(error)

    def _lose(self) -> None:
        self._socket = None
        self._online.clear()
        if self._resuming:
            self._resuming.cancel()
        for waiting in self._waiting.values():
            waiting.put_nowait(ConnectionLost("the connection was lost before the answer came"))

    def _give_up(self, error: CallboardError) -> None:
        self._online.set()
        for waiting in self._waiting.values():
            waiting.put_nowait(error)
        for follower in list(self.followers):
            follower.fail(error)

    async def send(self, frame: Frame) -> None:
        """Sends a frame, on the connection as it is or as soon as there is one."""
        await self._online.wait()
        if self._end:
            raise self._end
        if not self._socket:
            raise ConnectionLost("the connection was lost")
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed as error:
            raise ConnectionLost("the connection was lost") from error

    @contextlib.asynccontextmanager
    async def request(self, frame: Frame) -> Any:
        """Sends a request; gives a function that waits for the next frame of its reply and raises its errors."""
        id = f"py-{next(self._ids)}"
        waiting = self._waiting[id] = asyncio.Queue()

        async def following() -> Frame:
            heard = await waiting.get()
            if isinstance(heard, CallboardError):
                raise heard
            if heard["type"] == "error":
                raise error_of(heard["data"])
            return heard

        try:
            await self.send({"id": id, **frame})
            yield following
        finally:
            del self._waiting[id]

    async def ask(self, kind: str, data: Frame, **more: Any) -> Frame:
        """The data of the one frame that answers a request."""
        async with self.request({"type": kind, "data": data, **more}) as following:
            answer: Frame = (await following())["data"]
            return answer

    async def ask_again(self, kind: str, data: Frame, within: float, **more: Any) -> Frame:
        """The same, asked again where the answer was lost with the connection: for what may be done twice."""
        deadline = asyncio.get_running_loop().time() + within
        while True:
            try:
                left = deadline - asyncio.get_running_loop().time()
                return await asyncio.wait_for(self.ask(kind, data, **more), max(left, 0.001))
            except ConnectionLost:
                if self._end:
                    raise
            except asyncio.TimeoutError:
                raise ConnectionLost(f"no answer came within {within:.0f} s") from None


__all__ = ["Connection", "Follower", "Frame", "Refused"]
