"""Where a server is, and who speaks to it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import urllib.error
import urllib.request
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from ._errors import Refused, Unreachable, error_of

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_PATIENCE = 20.0
# The largest frame that is taken. A server's own limit is 1 MiB; a page of history may hold many of these.
_MAX_FRAME = 64 * 1024 * 1024


class Address:
    """An address (`http`, `https`, `ws`, `wss`; the path of an endpoint is left away) with credentials."""

    def __init__(self, url: str | None, token: str | None) -> None:
        url = url or os.environ.get("CALLBOARD_URL") or "http://127.0.0.1:3001"
        scheme, found, rest = url.partition("://")
        if not found:
            scheme, rest = "http", url
        rest = rest.rstrip("/")
        for endpoint in ("/api/v1/ws", "/v1/ws", "/ws"):
            if rest.endswith(endpoint):
                rest = rest[: -len(endpoint)]
                break
        safe = "s" if scheme in ("https", "wss") else ""
        self._http, self._ws = f"http{safe}://{rest}", f"ws{safe}://{rest}"
        token = token or os.environ.get("CALLBOARD_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        authority = os.environ.get("CALLBOARD_CA_FILE") or None
        self._tls = ssl.create_default_context(cafile=authority) if safe else None

    async def open(self, path: str) -> ClientConnection:
        """Connects to a socket."""
        try:
            return await connect(
                self._ws + path, additional_headers=self._headers, open_timeout=_PATIENCE, max_size=_MAX_FRAME,
                proxy=None, ssl=self._tls,
            )
        except InvalidStatus as error:
            status, body = error.response.status_code, error.response.body
            if status in (401, 403):
                raise Refused(_sentence(bytes(body or b""))) from error
            raise Unreachable(f"{self._http} answers {status}") from error
        except (OSError, InvalidHandshake, EOFError, asyncio.TimeoutError) as error:
            raise Unreachable(f"no server answers at {self._http}: {error}") from error

    async def get(self, path: str) -> Any:
        """What is found at a path; None if nothing is."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(self._http + path, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE, context=self._tls) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            body = error.read()
            if error.code == 404:
                return None
            if error.code in (401, 403):
                raise Refused(_sentence(body)) from error
            if error.code >= 500 or error.code == 429:
                raise Unreachable(f"{self._http} answers {error.code}") from error
            raise error_of(json.loads(body)["error"]) from error
        except (OSError, ValueError) as error:
            raise Unreachable(f"no server answers at {self._http}: {error}") from error


def _sentence(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return str(error.get("details") or error["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace") or "no credentials"


class Pause:
    """Pauses between attempts to connect: they double, each a little shorter or longer by chance."""

    def __init__(self) -> None:
        self._attempts = 0

    def reset(self) -> None:
        self._attempts = 0

    async def wait(self) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._attempts, 16))
        self._attempts += 1
        await asyncio.sleep(pause * random.uniform(0.75, 1.25))
