"""What is subscribed to, as something to iterate over."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, TypeVar

from ._connection import Connection, Frame
from ._errors import CallboardError, ConnectionLost
from ._types import Event, Publication, event, publication

T = TypeVar("T")

# What may wait for whoever iterates. A channel is read again from there once it is taken; of events the oldest go.
_BACKLOG = 1024
_PATIENCE = 20.0


class Subscription(Generic[T]):
    """Iterate over it with `async for`; `close` ends it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: asyncio.Queue[T] = asyncio.Queue()
        self._news = asyncio.Event()
        self._ids: list[str] = []
        self._error: CallboardError | None = None
        self._closed = False

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> T:
        while self._queue.empty():
            if self._closed:
                raise StopAsyncIteration
            if self._error:
                raise self._error
            self._news.clear()
            await self._catch_up()
            if self._queue.empty():
                await self._news.wait()
        return self._queue.get_nowait()

    async def close(self) -> None:
        """Ends it; what is still waiting can be taken."""
        if self in self._connection.followers:
            self._connection.followers.remove(self)
        self._closed = True
        self._news.set()
        await self._leave()

    async def _leave(self) -> None:
        ids, self._ids = self._ids, []
        try:
            if ids:
                await self._connection.ask("unsubscribe", {"subscriptionIds": ids})
        except CallboardError:
            pass  # With the connection the subscription is gone as well.

    def fail(self, error: CallboardError) -> None:
        self._error = error
        self._news.set()

    async def resume(self) -> None:
        answer = await self._connection.ask("subscribe", self._data())
        self._ids = [one["id"] for one in answer["subscriptions"]]

    async def _begin(self) -> None:
        self._connection.followers.append(self)
        try:
            answer = await self._connection.ask_again("subscribe", self._data(), _PATIENCE)
            self._ids = [one["id"] for one in answer["subscriptions"]]
        except BaseException:
            self._connection.followers.remove(self)
            raise

    async def _catch_up(self) -> None: ...

    def _data(self) -> Frame:
        raise NotImplementedError

    def take(self, frame: Frame) -> None:
        raise NotImplementedError


class ChannelSubscription(Subscription[Publication]):
    """The publications of a channel in the order of their `seq`, each once, over all connections."""

    def __init__(self, connection: Connection, channel: str, since: int) -> None:
        super().__init__(connection)
        self.channel = channel
        self._seq = since
        self._behind = False

    def _data(self) -> Frame:
        return {"channels": [self.channel], "since": self._seq}

    def take(self, frame: Frame) -> None:
        data: dict[str, Any] = frame.get("data") or {}
        if frame["type"] != "channel_message" or data.get("channel_id") != self.channel:
            return
        if self._behind or data["seq"] <= self._seq:
            return
        if self._queue.qsize() >= _BACKLOG:
            self._behind = True
            return
        self._seq = data["seq"]
        self._queue.put_nowait(publication(data))
        self._news.set()

    async def _catch_up(self) -> None:
        """Everything that waited was taken: what had no room is read again."""
        if self._behind:
            await self._leave()
            self._behind = False
            try:
                await self.resume()
            except ConnectionLost:
                pass  # The next connection resumes it.

    async def resume(self) -> None:
        if not self._behind:
            await super().resume()


class EventSubscription(Subscription[Event]):
    """Events or a stream, as they happen; what happens while there is no connection is missed."""

    def __init__(
        self, connection: Connection, events: list[str], stream: str | None, agent: str | None, least: float | None
    ) -> None:
        super().__init__(connection)
        self._events, self._stream, self._agent, self._least = events, stream, agent, least
        self.missed = 0

    def _data(self) -> Frame:
        data: Frame = {}
        if self._events:
            data["events"] = self._events
        if self._stream:
            data["stream"] = self._stream
            if self._agent:
                data["agentId"] = self._agent
            if self._least is not None:
                data["filter"] = {"minImportance": self._least}
        return data

    def _wants(self, kind: str, data: dict[str, Any]) -> bool:
        if kind == "event":
            return "*" in self._events or data["eventType"] in self._events
        return (
            kind == "stream_data"
            and data["stream"] == self._stream
            and self._agent in (None, data["agentId"])
            and data["importance"] >= (self._least or 0)
        )

    def take(self, frame: Frame) -> None:
        if not self._wants(frame["type"], frame.get("data") or {}):
            return
        if self._queue.qsize() >= _BACKLOG:
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(event(frame))
        self._news.set()
