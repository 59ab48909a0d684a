"""Answers of HTTP APIs: they are read to their end, and the pause that they demand is understood."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from stream.runtime.http_answer import TooLargeError, retry_after, whole_body

PIECES = (b'{"subject": "', b"x" * 200_000, b'"}')


async def in_pieces(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for piece in PIECES:
        await response.write(piece)
        await asyncio.sleep(0.01)  # so that the pieces arrive one by one
    return response


async def body(most: int) -> bytes:
    app = web.Application()
    app.router.add_get("/", in_pieces)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/") as answer,
        ):
            return await whole_body(answer, most)
    finally:
        await runner.cleanup()


def test_an_answer_that_comes_in_pieces_is_read_to_its_end() -> None:
    whole = b"".join(PIECES)

    assert asyncio.run(body(most=len(whole))) == whole


def test_an_answer_that_is_larger_than_allowed_is_not_read_to_its_end() -> None:
    with pytest.raises(TooLargeError, match="more than 1000 bytes"):
        asyncio.run(body(most=1_000))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0.5 ", 0.5),
        ("-3", 0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 110),
        ("soon", None),
        ("", None),
        ("nan", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, now=10) == seconds


def test_a_date_with_an_offset_without_sense_is_no_pause() -> None:
    assert retry_after("Thu, 01 Jan 2026 00:00:00 +99999999999999999999", 0.0) is None
