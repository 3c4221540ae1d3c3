"""What the bench answers: the page, photos in, verdicts out, and corrections."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from evalharness.serving import page
from evalharness.serving.bench import Bench
from evalharness.serving.languages import LANGUAGES, choose_language, refusal_text, texts, translate
from evalharness.serving.refusals import RefusalError
from evalharness.serving.tables import csv_lines
from evalharness.serving.uploads import read_body, read_photo
from evalharness.serving.watching import FolderWatch

MAX_CORRECTION = 10_000
"""Bytes."""
SOURCES = ("upload", "camera")
LANGUAGE_COOKIE = "evalharness-language"


@dataclass(frozen=True)
class Application:
    """The answers of one bench."""

    bench: Bench
    watch: FolderWatch | None

    def build(self) -> Starlette:
        """As an ASGI application."""
        return Starlette(
            routes=[
                Route("/", self.show_page),
                Route("/health", self.tell_health),
                Route("/inspect", self.inspect, methods=["POST"]),
                Route("/verdicts", self.list_verdicts),
                Route("/verdicts.csv", self.write_csv),
                Route("/verdicts/{number:int}/correction", self.correct, methods=["POST"]),
                Route("/photo/{number:int}.jpg", self.draw_photo),
                Route("/map/{number:int}.png", self.draw_map),
                *(Route(f"/{name}", self.send_file) for name in page.FILES),
            ],
            exception_handlers={
                RefusalError: _tell_refusal,
                HTTPException: _tell_status,
                ClientDisconnect: _tell_nobody,
            },
        )

    async def show_page(self, request: Request) -> Response:
        """The page, in the language of the address, of an earlier choice, of the config, or of the browser."""
        language = self._page_language(request)
        answer = HTMLResponse(
            page.render_bench(
                texts=texts(language),
                language=language,
                other=next(name for name in LANGUAGES if name != language),
                run=self.bench.run,
                classes=self.bench.judge.classes,
                is_watching=self.watch is not None,
                data={
                    "texts": texts(language)["script"],
                    "classes": self.bench.judge.classes,
                    "max_bytes": self.bench.config.max_bytes,
                    "language": language,
                },
            )
        )
        if request.query_params.get("language") in LANGUAGES:
            answer.set_cookie(LANGUAGE_COOKIE, language, samesite="strict", httponly=True)
        return answer

    async def tell_health(self, _: Request) -> Response:
        """That the bench is ready: it does not listen before."""
        return JSONResponse({"status": "ready", "run": self.bench.run, "classes": self.bench.judge.classes})

    async def inspect(self, request: Request) -> Response:
        """Judges the photo in the body."""
        name = request.query_params.get("name", "photo")
        source = request.query_params.get("source", "upload")
        with self.bench.worker.place():
            content = await read_photo(request, self.bench.config.max_bytes)
            future = self.bench.submit(content, name=name, source=source if source in SOURCES else "upload")
            verdict = await asyncio.wrap_future(future)
        return JSONResponse(_in_language(verdict, _language(request)))

    async def list_verdicts(self, request: Request) -> Response:
        """The last verdicts after a number, counts and trend, and what is wrong with the watched folder."""
        after, language = request.query_params.get("after", "0"), _language(request)
        lines = self.bench.log.verdicts_after(int(after) if after.isdigit() and len(after) < 19 else 0)
        problems = self.watch.problems if self.watch else ()
        return JSONResponse(
            {
                "verdicts": [_in_language(self.bench.told(line), language) for line in lines],
                "summary": self.bench.log.summary(),
                "problems": [
                    {"image": entry["name"], "error": refusal_text(entry["refusal"], language)}
                    for entry in list(problems)
                ],
            }
        )

    async def write_csv(self, _: Request) -> Response:
        """All verdicts and corrections."""
        return StreamingResponse(
            csv_lines(self.bench.log.path),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="verdicts.csv"'},
        )

    async def correct(self, request: Request) -> Response:
        """Logs what a person says of a verdict."""
        content = await read_body(request, MAX_CORRECTION)
        try:
            values = json.loads(content)
        except ValueError:
            values = None
        number = request.path_params["number"]
        line = await run_in_threadpool(self.bench.correct, number, values if isinstance(values, dict) else {})
        return JSONResponse({name: line[name] for name in ("verdict", "time", "is_right", "class")})

    async def draw_photo(self, request: Request) -> Response:
        """A recent photo."""
        return _picture(await run_in_threadpool(self.bench.pictures.draw_photo, request.path_params["number"]), "jpeg")

    async def draw_map(self, request: Request) -> Response:
        """The map of a recent photo, over it."""
        return _picture(await run_in_threadpool(self.bench.pictures.draw_map, request.path_params["number"]), "png")

    async def send_file(self, request: Request) -> Response:
        """Style, script, icon."""
        name = request.url.path.removeprefix("/")
        return Response(page.read_file(name), media_type=page.FILES[name])

    def _page_language(self, request: Request) -> str:
        chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE)
        if chosen in LANGUAGES:
            return chosen
        configured = self.bench.config.language
        return _language(request) if configured == "auto" else configured


def _language(request: Request) -> str:
    return choose_language(request.headers.get("accept-language", ""))


def _in_language(verdict: dict[str, Any], language: str) -> dict[str, Any]:
    sentences: dict[str, Sequence[str]] = {name: verdict[name] for name in ("reasons", "warnings")}
    return verdict | {name: translate(said, language) for name, said in sentences.items()}


def _picture(content: bytes | None, kind: str) -> Response:
    if content is None:
        raise RefusalError(404, "no_picture", "this picture is not kept", expected="one of the last verdicts")
    return Response(content, media_type=f"image/{kind}")


async def _tell_refusal(request: Request, refusal: Any) -> Response:
    headers = {"retry-after": str(refusal.values["seconds"])} if refusal.status == 503 else {}
    if refusal.status in (408, 413, 415, 503):
        # The rest of the body is not waited for.
        headers["connection"] = "close"
    content = {"code": refusal.code, "error": refusal_text(refusal, _language(request))}
    return JSONResponse(content, refusal.status, headers)


async def _tell_status(_: Request, error: Any) -> Response:
    texts_of = {404: ("not_found", "there is nothing at this address."), 405: ("method", "this cannot be done here.")}
    code, text = texts_of.get(error.status_code, ("refused", "the request cannot be answered."))
    return JSONResponse({"code": code, "error": text}, error.status_code, error.headers)


async def _tell_nobody(_: Request, __: Exception) -> Response:
    """The connection was cut while the photo arrived."""
    return Response(status_code=400)
