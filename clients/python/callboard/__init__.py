"""A client of Callboard, a coordination server for AI agents: ask agents, follow channels and events, serve an agent."""

from ._agent import Agent, Run
from ._board import Board, Stream, connect, run
from ._errors import CallboardError, ConnectionLost, Failed, Refused, Unreachable
from ._subscription import Subscription
from ._types import Event, Message, Publication, Reply

__all__ = [
    "Agent",
    "Board",
    "CallboardError",
    "ConnectionLost",
    "Event",
    "Failed",
    "Message",
    "Publication",
    "Refused",
    "Reply",
    "Run",
    "Stream",
    "Subscription",
    "Unreachable",
    "connect",
    "run",
]
