"""What can go wrong."""

from __future__ import annotations

from typing import Any


class CallboardError(Exception):
    """Whatever this package raises by itself."""


class Unreachable(CallboardError):
    """No server answers, or it takes nobody in just now."""


class ConnectionLost(CallboardError):
    """The connection ended before the answer came. The run goes on; its answer will be in the conversation."""


class Refused(CallboardError):
    """The credentials are missing or do not suffice."""


class Failed(CallboardError):
    """The server answered with an error; `code` is for programs."""

    def __init__(self, code: str, message: str, details: str = "") -> None:
        super().__init__(f"{message}: {details} ({code})" if details else f"{message} ({code})")
        self.code = code
        self.message = message
        self.details = details


def error_of(data: dict[str, Any]) -> CallboardError:
    """The error in an error of the server's."""
    code, message, details = (str(data.get(name) or "") for name in ("code", "message", "details"))
    return Refused(details or message) if code == "UNAUTHORIZED" else Failed(code, message, details)
