"""A board: a server, as somebody uses it who talks to agents."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

from ._address import Address
from ._connection import Connection, Frame
from ._errors import error_of
from ._subscription import ChannelSubscription, EventSubscription, Subscription
from ._types import Event, Message, Publication, Reply, message, reply

# How long a request is tried again that no agent works on; within the time in which the server knows a publication.
_PATIENCE = 60.0


class Stream:
    """An answer as it is given, piece by piece; then `reply` is the whole of it (the last one of several)."""

    def __init__(self, pieces: AsyncIterator[str | Reply]) -> None:
        self._pieces = pieces
        self.reply: Reply | None = None

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> str:
        async for piece in self._pieces:
            if isinstance(piece, str):
                return piece
            self.reply = piece
        raise StopAsyncIteration


class Board:
    """A server. Made by `connect`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def close(self) -> None:
        """Ends the connection and all that hangs on it."""
        await self._connection.close()

    async def chat(self, text: str, *, agent: str | None = None, conversation: str | None = None) -> Reply:
        """Says something and returns the answer; where several answer, the last one."""
        return (await self.replies(text, agent=agent, conversation=conversation))[-1]

    async def replies(self, text: str, *, agent: str | None = None, conversation: str | None = None) -> list[Reply]:
        """The same, with the answers of all who answer, in their order."""
        pieces = self._chat(text, agent, conversation, stream=False)
        return [piece async for piece in pieces if isinstance(piece, Reply)]

    def stream(self, text: str, *, agent: str | None = None, conversation: str | None = None) -> Stream:
        """The same, piece by piece."""
        return Stream(self._chat(text, agent, conversation, stream=True))

    async def _chat(
        self, text: str, agent: str | None, conversation: str | None, stream: bool
    ) -> AsyncIterator[str | Reply]:
        data: Frame = {"message": text, "stream": stream}
        if conversation:
            data["conversationId"] = conversation
        async with self._connection.request({"type": "chat", "data": data, **_to(agent)}) as following:
            while True:
                frame = await following()
                data = frame["data"]
                if frame["type"] == "chat_chunk":
                    yield data["delta"]
                elif frame["type"] == "chat_response":
                    yield reply(data)
                    if data["turn"]["index"] >= data["turn"]["of"]:
                        return

    async def command(
        self, instruction: str, parameters: dict[str, Any] | None = None, *, agent: str,
        conversation: str | None = None,
    ) -> Any:
        """Has an agent do something; returns the result as data."""
        data: Frame = {"instruction": instruction, "parameters": parameters or {}}
        if conversation:
            data["conversationId"] = conversation
        async with self._connection.request({"type": "command", "data": data, **_to(agent)}) as following:
            while True:
                frame = await following()
                if frame["type"] == "command_result":
                    data = frame["data"]
                    if data["status"] != "completed":
                        raise error_of(data["error"])
                    return data["result"]

    async def cancel(self, run: str) -> None:
        """Cancels a run."""
        await self._connection.send({"type": "cancel", "data": {"id": run}})

    async def join(self, conversation: str, *agents: str, mode: str | None = None) -> list[Message]:
        """Joins a conversation, with agents; returns the last messages."""
        data: Frame = {"conversationId": conversation, "agents": list(agents)}
        if mode:
            data["mode"] = mode
        joined = await self._connection.ask_again("join_conversation", data, _PATIENCE)
        return [message(one) for one in joined["messages"]]

    async def leave(self, conversation: str) -> None:
        """Leaves a conversation."""
        await self._connection.ask("leave_conversation", {"conversationId": conversation})

    async def handoff(self, conversation: str, source: str, target: str, reason: str = "") -> None:
        """Hands a conversation over from one agent to another."""
        data = {"conversationId": conversation, "fromAgent": source, "toAgent": target, "reason": reason}
        await self._connection.ask("agent_handoff", data)

    async def history(self, conversation: str, *, limit: int = 50, before: int | None = None) -> list[Message]:
        """Messages of a conversation, oldest first; `before`: those below this `seq`."""
        data: Frame = {"conversationId": conversation, "limit": limit}
        if before is not None:
            data["before"] = before
        page = await self._connection.ask_again("history", data, _PATIENCE)
        return [message(one) for one in page["messages"]]

    async def status(self, agent: str | None = None) -> Frame:
        """How an agent is, or the whole house."""
        return await self._connection.ask_again("status", {}, _PATIENCE, **_to(agent))

    async def agents(self) -> list[Frame]:
        """Who can be asked."""
        listed: list[Frame] = (await self._connection.address.get("/agents"))["agents"]
        return listed

    async def publish(self, channel: str, content: Any, *, metadata: Frame | None = None) -> int:
        """Publishes in a channel; returns the `seq`, when it is on disk. Tried again over a lost connection, and
        published once."""
        data: Frame = {"channel": channel, "content": content, "messageId": str(uuid.uuid4())}
        if metadata is not None:
            data["metadata"] = metadata
        return int((await self._connection.ask_again("publish", data, _PATIENCE))["seq"])

    async def subscribe(self, channel: str, *, since: int | None = None) -> Subscription[Publication]:
        """The publications of a channel after `since` (0: all that are kept; without: those from now on), each once,
        also over lost connections. One subscription a channel and board."""
        followed = (follower for follower in self._connection.followers if isinstance(follower, ChannelSubscription))
        if any(follower.channel == channel for follower in followed):
            raise ValueError(f"this board follows {channel} already; connect another")
        if since is None:
            found = await self._connection.address.get(f"/channels/{quote(channel, safe='')}")
            since = int(found["head"]) if found else 0
        subscription = ChannelSubscription(self._connection, channel, since)
        await subscription._begin()
        return subscription

    async def watch(
        self, *events: str, stream: str | None = None, agent: str | None = None, min_importance: float | None = None
    ) -> Subscription[Event]:
        """Events (by name; none and no stream: all), or a stream (`thoughts`, `actions`, `tokens`)."""
        names: Sequence[str] = events or ([] if stream else ["*"])
        subscription = EventSubscription(self._connection, list(names), stream, agent, min_importance)
        await subscription._begin()
        return subscription


def _to(agent: str | None) -> Frame:
    return {"targetAgent": agent} if agent else {}


class connect:
    """Connects to a server: `async with connect() as board`, or `board = await connect()`. Without an address that of
    `CALLBOARD_URL`, without a token that of `CALLBOARD_TOKEN`."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._connection = Connection(Address(url, token))

    async def _open(self) -> Board:
        await self._connection.open()
        return Board(self._connection)

    def __await__(self) -> Generator[Any, None, Board]:
        return self._open().__await__()

    async def __aenter__(self) -> Board:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()


def run(main: Callable[[Board], Awaitable[Any]], url: str | None = None, token: str | None = None) -> None:
    """Runs a program that talks to a server: connects, has `main` done with the board, and closes it. Ctrl-C ends it."""

    async def connected() -> None:
        async with connect(url, token) as board:
            await main(board)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(connected())
