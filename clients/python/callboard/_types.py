"""What comes from a server, read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An agent's answer. `data` is the frame's own, with all that is not named here."""

    text: str
    agent: str
    conversation: str
    message_id: str
    emotion: str
    data: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Message:
    """A message of a conversation."""

    id: str
    seq: int
    role: str
    agent: str | None
    content: str
    created_at: str


@dataclass(frozen=True)
class Publication:
    """A publication of a channel; `seq` is its place there, counted from 1."""

    id: str
    seq: int
    channel: str
    content: Any
    agent: str | None
    timestamp: str
    metadata: dict[str, Any] | None


@dataclass(frozen=True)
class Event:
    """Something that happened (`run_status`, …), or the next piece of a stream (`thoughts`, …)."""

    type: str
    agent: str | None
    data: dict[str, Any]
    timestamp: str


def reply(data: dict[str, Any]) -> Reply:
    text = data.get("response", data.get("message"))
    return Reply(
        str(text or ""), str(data["agentId"]), str(data["conversationId"]), str(data.get("messageId") or ""),
        str(data.get("emotion") or ""), data,
    )


def message(data: dict[str, Any]) -> Message:
    return Message(data["id"], data["seq"], data["role"], data.get("agent"), data["content"], data["created_at"])


def publication(data: dict[str, Any]) -> Publication:
    return Publication(
        data["id"], data["seq"], data["channel_id"], data["content"], data.get("agent_id"), data["timestamp"],
        data.get("metadata"),
    )


def event(frame: dict[str, Any]) -> Event:
    data = frame["data"]
    return Event(data.get("eventType") or data["stream"], data.get("agentId"), data, frame["timestamp"])
