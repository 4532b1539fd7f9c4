"""What a server bounds: size of a request, requests of a client, requests at a time; and who asks.

A page of another site can make a browser send requests to this server. It cannot read the answers,
cannot add `HEADER`, and does not know the server by its name.
"""

import collections
import hmac
import time
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse

HEADER = "x-dmcf"  # of every request that is not a link or a picture
COOKIE = "dmcf_token"
LOCAL = ("127.0.0.1", "localhost", "::1")


class Refused(Exception):
    """A request that is not answered; status of HTTP and a sentence."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status

    def response(self) -> JSONResponse:
        """Return the answer."""
        headers = {"retry-after": "1"} if self.status in (429, 503) else {}
        return JSONResponse({"error": str(self)}, self.status, headers=headers)


class Limits(NamedTuple):
    """Bounds of a server.

    Attributes:
        bytes: of one request.
        per_minute: requests of one client.
        at_once: requests that are worked on or wait.
    """

    bytes: int = 16 << 20
    per_minute: int = 1200
    at_once: int = 256


class Clients:
    """Counts the requests of each client in the last minute."""

    def __init__(self, per_minute: int):
        self._most = per_minute
        self._seen: dict[str, collections.deque[float]] = {}

    def count(self, client: str, now: float | None = None) -> None:
        """Count a request.

        Raises:
            Refused: it is one too many.
        """
        now = time.monotonic() if now is None else now
        for name in [name for name, times in self._seen.items() if now - times[-1] > 60]:
            del self._seen[name]
        times = self._seen.setdefault(client, collections.deque())
        while times and now - times[0] > 60:
            times.popleft()
        if len(times) >= self._most:
            raise Refused(429, f"more than {self._most} requests in a minute: wait a moment")
        times.append(now)


def check_token(request: Request, token: str | None) -> None:
    """Refuse whoever does not know the token, if there is one.

    Raises:
        Refused: it is missing or wrong.
    """
    given = request.cookies.get(COOKIE, "")
    header = request.headers.get("authorization", "")
    given = header.removeprefix("Bearer ") if header else given
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        raise Refused(401, "open the address with ?token=..., as the server printed it")


def check_sender(request: Request) -> None:
    """Refuse a request that another site's page may have sent.

    Raises:
        Refused: the header is missing.
    """
    if request.headers.get(HEADER) != "1":
        raise Refused(403, f"send the header {HEADER}: 1")


async def read_body(request: Request, most: int) -> bytes:
    """Return a request's body.

    Raises:
        Refused: it is empty or larger than `most` bytes; reading stops there.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Refused(413, f"at most {most >> 20} MiB: send a smaller picture")
        parts.append(part)
    if not size:
        raise Refused(400, "the request holds no picture")
    return b"".join(parts)
