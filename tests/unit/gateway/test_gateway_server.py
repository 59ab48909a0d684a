"""The HTTP server of the gateway, over real sockets: what senders and hostile clients get."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.rejected_payload import MAX_BODY
from stream.gateway.server import Bounds, Server
from tests.unit.gateway.served import Desk, event, open_feed, signed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODY = json.dumps(event()).encode()
USUAL = Bounds()
SHORT = Bounds(connections=8, receiving_bytes=3 * MAX_BODY, idle_seconds=0.3, transfer_seconds=0.3, finish_seconds=2)


class Client:
    """One connection, and what comes of the bytes that are sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def status(self) -> int:
        """The status of the next answer, whose body is read too; 0: the connection was closed without one."""
        try:
            async with asyncio.timeout(60):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await self.reader.readexactly(length[0] if length else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return int(head.split(b" ", 2)[1])

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def is_closed(self) -> bool:
        async with asyncio.timeout(60):
            try:
                return await self.reader.read() is not None
            except ConnectionError:
                return True


CLIENTS: list[Client] = []
"""Those of the story that runs."""


def request(body: bytes = BODY, *headers: str, path: str = "/feeds/app", length: bool = True, sign: bool = True) -> bytes:
    """The bytes of a request."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *headers]
    if sign:
        lines += [f"{name}: {value}" for name, value in signed(body).items()]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(body: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"


def serve(story: Callable[[Server, Desk], Awaitable[None]], bounds: Bounds = USUAL, desk: Desk | None = None) -> Desk:
    """Run a story with a server."""
    desk = desk or Desk()

    async def run() -> None:
        server = Server(desk.gateway, lambda: (True, "ready"), bounds)
        await server.start("127.0.0.1", 0)
        try:
            await story(server, desk)
        finally:
            while CLIENTS:
                await CLIENTS.pop().close()
            await server.stop()

    asyncio.run(run())
    return desk


async def connect(server: Server) -> Client:
    CLIENTS.append(client := Client(*await asyncio.open_connection("127.0.0.1", server.port)))
    return client


def status_of(data: bytes, bounds: Bounds = USUAL, desk: Desk | None = None) -> int:
    """The status of the answer to some bytes."""
    found: list[int] = []

    async def story(server: Server, _: Desk) -> None:
        client = await connect(server)
        await client.send(data)
        found.append(await client.status())

    serve(story, bounds, desk)
    return found[0]


def test_a_request_is_answered_once_its_events_are_written_and_the_connection_stays() -> None:
    async def story(server: Server, _: Desk) -> None:
        client = await connect(server)
        for _attempt in range(3):
            await client.send(request())
            assert await client.status() == 200

    assert len(serve(story).kafka.records) == 3


def test_a_body_in_chunks_is_read_whole() -> None:
    desk = Desk()

    lines = [f"{name}: {value}" for name, value in signed(BODY).items()]
    head = request(b"", "Transfer-Encoding: chunked", *lines, length=False, sign=False)
    assert status_of(head + chunked(BODY), desk=desk) == 200
    assert desk.kafka.records[0].value == BODY


@pytest.mark.parametrize("length", [True, False])
def test_a_body_that_is_too_large_is_refused_without_being_read(length: bool) -> None:
    large = b"x" * (10 * 1024 * 1024)

    if length:
        assert status_of(request(large, sign=False)) == 413
    else:
        head = request(b"", "Transfer-Encoding: chunked", length=False, sign=False)
        assert status_of(head + chunked(large)) == 413


def test_a_compressed_body_is_refused_and_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 100_000_000)

    assert status_of(request(bomb, "Content-Encoding: gzip")) == 415


@pytest.mark.parametrize(
    "headers",
    [
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: xchunked",),
        ("Content-Length: +5",),
        ("Content-Length: -5",),
        ("Content-Length: 5, 5",),
        ("X-A: 1\n\nPOST /feeds/app HTTP/1.1",),
        (" folded: 1",),
        ("X-\x00: 1",),
    ],
)
def test_a_length_that_is_stated_in_two_ways_or_wrongly_ends_the_connection(
    headers: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(server: Server, _: Desk) -> None:
        client = await connect(server)
        smuggled = request(b"0\r\n\r\n", *headers, length=False, sign=False)
        await client.send(smuggled + request(path="/feeds/app"))
        assert await client.status() in (0, 400)
        assert await client.is_closed()

    assert serve(story).kafka.records == []
    assert caplog.text == ""


def test_a_signature_that_comes_twice_is_wrong_whichever_is_right() -> None:
    right = signed(BODY)["webhook-signature"]

    for pair in ((right, "v1,AAAA"), ("v1,AAAA", right)):
        lines = [f"{name}: {value}" for name, value in signed(BODY).items() if name != "webhook-id"]
        lines = ["webhook-id: msg_1", "webhook-id: msg_1", *lines]
        assert status_of(request(BODY, *lines, sign=False)) == 401
        twice = [f"x-hub-signature: {value}" for value in pair]
        assert status_of(request(BODY, *twice, sign=False)) == 401


def test_huge_heads_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    assert status_of(request(BODY, f"X-Long: {'x' * 20_000}")) == 400
    assert status_of(request(BODY, *(f"X-{number}: x" for number in range(1_000)))) == 400
    assert status_of(request(path="/feeds/" + "x" * 20_000)) == 400
    assert caplog.text == ""


def test_a_body_that_comes_slowly_is_given_up() -> None:
    async def story(server: Server, desk: Desk) -> None:
        client = await connect(server)
        await client.send(request()[:-5])
        assert await client.status() == 408

    desk = serve(story, SHORT)
    assert desk.recorder.recent.of("app")[0].outcome == "slow"


def test_silent_connections_and_slow_heads_are_closed() -> None:
    async def story(server: Server, _: Desk) -> None:
        silent, slow, after = [await connect(server) for _ in range(3)]
        await slow.send(b"POST /feeds/app HTTP/1.1\r\nHost: a\r\nX-")
        await after.send(request())
        assert await after.status() == 200
        for client in (silent, slow, after):
            assert await client.is_closed()

    serve(story, SHORT)


def test_idle_and_slow_connections_give_way_to_one_that_sends_at_once() -> None:
    async def story(server: Server, _: Desk) -> None:
        slow = [await connect(server) for _ in range(20)]
        for client in slow[-8:]:
            await client.send(request()[:-5])
        for _attempt in range(3):
            client = await connect(server)
            await client.send(request())
            assert await client.status() == 200

    patient = Bounds(connections=8, idle_seconds=60, transfer_seconds=60)
    assert len(serve(story, patient).kafka.records) == 3


def test_bodies_that_wait_for_more_give_way_when_they_hold_too_much() -> None:
    async def story(server: Server, _: Desk) -> None:
        slow = [await connect(server) for _ in range(6)]
        for client in slow:
            with suppress(ConnectionError):
                await client.send(request(b"x" * MAX_BODY, sign=False)[:-1])
        client = await connect(server)
        await client.send(request())
        assert await client.status() == 200
        closed = [client for client in slow if client.reader.at_eof() or client.reader.exception() is not None]
        assert len(closed) >= 3

    patient = Bounds(receiving_bytes=3 * MAX_BODY, idle_seconds=60, transfer_seconds=60)
    serve(story, patient)


def test_a_body_whose_connection_is_lost_is_let_go_of_at_once() -> None:
    async def story(server: Server, _: Desk) -> None:
        for _attempt in range(5):
            client = await connect(server)
            await client.send(request(b"x" * MAX_BODY, sign=False)[:-1])
            after = await connect(server)
            await after.send(request())
            assert await after.status() == 200  # the server has received what came before
            client.writer.transport.abort()
            await after.send(request())
            assert await after.status() == 200
        assert tracemalloc.get_traced_memory()[0] < MAX_BODY

    gc.collect()
    gc.disable()  # what waits for it is memory that hostile clients use up
    tracemalloc.start()
    try:
        serve(story)
    finally:
        tracemalloc.stop()
        gc.enable()


def test_requests_in_flight_are_answered_when_the_server_stops_and_no_more_are_taken() -> None:
    arrived, released = asyncio.Event(), asyncio.Event()

    class Slow(Desk):
        def __init__(self) -> None:
            super().__init__()
            deliver = self.kafka.deliver

            async def later(records: Any) -> bool:
                arrived.set()
                await released.wait()
                return await deliver(records)

            self.kafka.deliver = later  # type: ignore[method-assign]

    async def story(server: Server, _: Desk) -> None:
        idle, client = await connect(server), await connect(server)
        await client.send(request())
        await arrived.wait()
        stopping = asyncio.create_task(server.stop())
        assert await idle.is_closed()
        with pytest.raises(ConnectionError):
            await connect(server)
        released.set()
        assert await client.status() == 200
        await stopping

    assert len(serve(story, desk=Slow()).kafka.records) == 1


def test_a_client_that_breaks_off_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def story(server: Server, _: Desk) -> None:
        client = await connect(server)
        await client.send(request()[:-5])
        before = await connect(server)
        await before.send(request())
        assert await before.status() == 200  # the server waits for the rest of the first by now
        client.writer.transport.abort()
        after = await connect(server)
        for _attempt in range(2):
            await after.send(request())
            assert await after.status() == 200
        gc.collect()

    serve(story)
    assert caplog.text == ""


def test_health_is_served_beside_the_feeds() -> None:
    for path in ("/healthz", "/readyz"):
        assert status_of(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()) == 200


def test_a_page_of_another_site_cannot_send_through_a_browser() -> None:
    """What a browser sends without asking first has another type, and what it sends after asking has the site's name."""
    desk = Desk(open_feed("app"))
    without_type = request(sign=False).replace(b"Content-Type: application/json\r\n", b"")

    assert status_of(without_type, desk=desk) == 415
    assert status_of(request(sign=False).replace(b"127.0.0.1", b"evil.example"), desk=desk) == 421
    assert desk.kafka.records == []
