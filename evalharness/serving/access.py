"""Who may ask: pages of other sites may not, and without the token nobody is told anything."""

import hashlib
import hmac
import ipaddress
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalharness.config import ServeConfig
from evalharness.serving.page import render_entrance

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
SAFE_METHODS = ("GET", "HEAD")
MAX_TOKEN = 1000
WEEK_S = 7 * 24 * 3600


def new_token() -> str:
    """One that cannot be guessed."""
    return secrets.token_urlsafe(24)


class Access:
    """Stands before the whole application.

    Args:
        app: The application.
        config: The `serve` section.
        port: That is listened on.
        token: None: everybody who can reach it may ask.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig, port: int, token: str | None) -> None:
        self._app, self._token = app, token
        self._names = {"localhost", config.host.lower(), socket.gethostname().lower()}
        self._cookie = f"evalharness-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses, or passes on; every answer has the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = await self._answer(scope, receive)
        await (answer or self._app)(scope, receive, send_with_headers)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """What is said instead of the application; None: it may answer."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        is_bearer = self._is_token(headers.get("authorization", "").removeprefix("Bearer "))
        if not is_bearer and self._comes_from_elsewhere(headers, method):
            return _refuse(403, "elsewhere", "requests from other sites are refused.")
        if self._token is None or is_bearer or self._has_cookie(headers):
            if not self._is_own_name(headers.get("host", "")):
                return _refuse(421, "host", "this address is not one of the bench: use its IP address or host name.")
            return None
        if path == "/session" and method == "POST":
            return await self._open_session(receive)
        if path == "/" and method == "GET":
            nonce = secrets.token_urlsafe(16)
            policy = HEADERS["content-security-policy"].replace("'self'", f"'nonce-{nonce}'", 2)
            return HTMLResponse(render_entrance(nonce), 401, {"content-security-policy": policy})
        return _refuse(401, "token", "a token is needed.")

    async def _open_session(self, receive: Receive) -> Response:
        content, is_more = b"", True
        while is_more and len(content) <= MAX_TOKEN:
            message = await receive()
            if message["type"] != "http.request":
                break
            content += message.get("body", b"")
            is_more = message.get("more_body", False)
        if not self._is_token(content.decode("utf-8", "replace")):
            return _refuse(401, "token", "a token is needed.")
        answer = Response(status_code=204)
        answer.set_cookie(self._cookie, self._session(), max_age=WEEK_S, path="/", httponly=True, samesite="strict")
        return answer

    def _session(self) -> str:
        """Told to a browser that showed the token, in its place; another token makes another one."""
        return hmac.new((self._token or "").encode(), b"evalharness session", hashlib.sha256).hexdigest()

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            given = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return given is not None and hmac.compare_digest(given.value.encode(), self._session().encode())

    def _comes_from_elsewhere(self, headers: Headers, method: str) -> bool:
        """Whether a page of another site makes a browser ask; programs send neither header."""
        site = headers.get("sec-fetch-site", "none")
        is_visit = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and not is_visit:
            return True
        origin = headers.get("origin")
        return method not in SAFE_METHODS and origin is not None and origin != f"http://{headers.get('host')}"

    def _is_own_name(self, host: str) -> bool:
        """Whether a browser was sent here by this name: a stranger's may point here too (DNS rebinding)."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _refuse(status: int, code: str, message: str) -> Response:
    content = {"code": code, "error": message}
    return JSONResponse(content, status, {"www-authenticate": "Bearer"} if status == 401 else {})
