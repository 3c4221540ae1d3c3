"""Reads a photo from a request: no more of it than is taken, and no longer than a slow line needs."""

import asyncio

from starlette.requests import Request

from evalharness.serving.refusals import RefusalError, too_large

READ_TIMEOUT_S = 60.0


async def read_photo(request: Request, max_bytes: int, timeout_s: float = READ_TIMEOUT_S) -> bytes:
    """The body of a request.

    Args:
        request: Its body is the file.
        max_bytes: A longer body is refused by its declared length, or else as soon as it is longer.
        timeout_s: For all of it.

    Raises:
        RefusalError: It is too large, too slow, or a form.
        ClientDisconnect: The connection was cut.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise RefusalError(
            415, "form", "a form cannot be read", expected="the file itself as the body",
            fix="Send it as `curl --data-binary @photo.jpg` does",
        )  # fmt: skip
    return await read_body(request, max_bytes, timeout_s)


async def read_body(request: Request, max_bytes: int, timeout_s: float = READ_TIMEOUT_S) -> bytes:
    """As `read_photo`, of anything."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > max_bytes:
        raise too_large(max_bytes)
    content = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                content += chunk
                if len(content) > max_bytes:
                    raise too_large(max_bytes)
    except TimeoutError:
        raise RefusalError(
            408, "too_slow", "the photo did not arrive in time", expected=f"all of it within {timeout_s:g} s"
        ) from None
    return bytes(content)
