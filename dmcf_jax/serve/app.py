"""The HTTP side: routes, checks and headers. No path of a client is ever opened."""

import contextlib
import secrets
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dmcf_jax.serve.gallery import Filter
from dmcf_jax.serve.limits import (
    COOKIE,
    LOCAL,
    Clients,
    Limits,
    Refused,
    check_sender,
    check_token,
    read_body,
)
from dmcf_jax.serve.service import Service

RULES = (
    "default-src 'none'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": RULES,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
STATIC = {
    "page.css": ("dmcf_jax.reports.html", "text/css"),
    "serve.css": ("dmcf_jax.serve", "text/css"),
    "serve.js": ("dmcf_jax.serve", "text/javascript"),
}
Answer = Callable[[Request], Awaitable[Response]]


def make_app(
    service: Service, limits: Limits, token: str | None = None, open_to_all: bool = False
) -> Starlette:
    """Return the application.

    Args:
        service: does the work.
        limits: of requests.
        token: that clients must know; None asks for none.
        open_to_all: whether other machines may ask; otherwise only names of this one are answered.
    """
    server = _Server(service, limits, token)
    routes = [
        Route("/", server.page),
        *(Route(f"/{name}", server.static) for name in STATIC),
        Route("/about", server.guarded(server.about)),
        Route("/picture/{row:int}", server.guarded(server.picture, sender=False)),
        Route("/search", server.guarded(server.search), methods=["POST"]),
        Route("/explain", server.guarded(server.explain), methods=["POST"]),
        Route("/add", server.guarded(server.add), methods=["POST"]),
    ]
    hosts = ["*"] if open_to_all else [*LOCAL, "[::1]"]
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    return Starlette(routes=routes, middleware=[trusted])


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


class _Server:
    def __init__(self, service: Service, limits: Limits, token: str | None):
        self._service, self._limits, self._token = service, limits, token
        self._clients, self._working = Clients(limits.per_minute), 0

    def guarded(self, answer: Answer, sender: bool = True) -> Answer:
        """Return `answer` behind token, counts and, for requests of scripts, their header."""

        async def guard(request: Request) -> Response:
            try:
                check_token(request, self._token)
                if sender:
                    check_sender(request)
                self._clients.count(request.client.host if request.client else "")
                with self._one_more():
                    response = await answer(request)
            except Refused as refused:
                response = refused.response()
            response.headers.update(HEADERS)
            return response

        return guard

    @contextlib.contextmanager
    def _one_more(self):
        if self._working >= self._limits.at_once:
            raise Refused(503, "the server is busy: try again in a moment")
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1

    async def page(self, request: Request) -> Response:
        """Answer with the page; a right token becomes a cookie."""
        given = request.query_params.get("token")
        if given is not None and self._token and secrets.compare_digest(given, self._token):
            response = RedirectResponse("/", 303)
            response.set_cookie(COOKIE, given, httponly=True, samesite="strict")
            return response
        return HTMLResponse(_text("dmcf_jax.serve", "page.html"), headers=HEADERS)

    async def static(self, request: Request) -> Response:
        """Answer with one of the files that belong to the page."""
        name = request.url.path.removeprefix("/")
        package, kind = STATIC[name]
        return Response(_text(package, name), media_type=kind, headers=HEADERS)

    async def about(self, request: Request) -> Response:
        """Answer with the facts of model and gallery."""
        return JSONResponse(await run_in_threadpool(self._service.about))

    async def picture(self, request: Request) -> Response:
        """Answer with a gallery picture."""
        data = await run_in_threadpool(self._service.picture, request.path_params["row"])
        return Response(data, media_type="image/jpeg")

    async def search(self, request: Request) -> Response:
        """Answer with matches of the picture that is the request's body."""
        asked = request.query_params
        chosen = Filter(
            asked.getlist("camera") if "camera" in asked else None,
            _number(asked.get("since"), "since"),
            _number(asked.get("until"), "until"),
        )
        top = _number(asked.get("top", "20"), "top")
        data = await read_body(request, self._limits.bytes)
        given = data, asked.get("modality", ""), int(top or 0), chosen
        return JSONResponse(await run_in_threadpool(self._service.search, *given))

    async def explain(self, request: Request) -> Response:
        """Answer with what made the score of a pair."""
        asked = request.query_params
        row = _number(asked.get("row", "-1"), "row")
        data = await read_body(request, self._limits.bytes)
        given = data, asked.get("modality", ""), int(row or 0)
        return JSONResponse(await run_in_threadpool(self._service.explain, *given))

    async def add(self, request: Request) -> Response:
        """Add the picture that is the request's body."""
        asked = request.query_params
        labels = {name: asked.get(name, "") for name in ("identity", "modality", "camera")}
        data = await read_body(request, self._limits.bytes)
        return JSONResponse({"row": await run_in_threadpool(self._service.add, data, labels)})


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _number(text: str | None, name: str) -> float | None:
    if text is None or text == "":
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e15:
        raise Refused(400, f"{name}={text[:40]} is no number")
    return number
