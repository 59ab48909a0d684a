"""What hostile requests cost the gateway: CPU for each, memory, and what an honest sender notices meanwhile.

    python benchmarks/gateway_hostile.py

A real broker, one gateway on the first core, the attackers on the others.
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from figures import machine
from gateway_load import KEY, Connection, Gateway, payload, percentile, request, send
from lab import OTHERS, PARTITIONS, on_cores

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CLOSED = (400, 0)
"""The connection is closed after the answer, so each second request finds it closed."""
MEGA = 1024 * 1024
BOMB = gzip.compress(bytes(100 * MEGA))
GOOD = payload(0, 5_000)
HEAD = b"POST /feeds/app HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


class Flood(NamedTuple):
    """Requests of one kind, one after the other over some connections."""

    what: str
    data: bytes
    times: int
    expected: tuple[int, ...]


def floods() -> list[Flood]:
    """Every kind of request that is refused, and one that is not, to compare."""
    now = time.time()
    twice = request(GOOD, "m", now, KEY, "webhook-signature: v1,AAAA")
    large = b"x" * (10 * MEGA)
    chunks = b"".join(b"100000\r\n" + large[:MEGA] + b"\r\n" for _ in range(10)) + b"0\r\n\r\n"
    return [
        Flood("good, 5 KB, to compare", request(GOOD, "m", now), 500, (200,)),
        Flood("wrong signature, 5 KB", request(GOOD, "m", now, b"x" * 32), 2_000, (401,)),
        Flood("replayed after an hour", request(GOOD, "m", now - 3_600), 2_000, (401,)),
        Flood("wrong signature, 1 MiB", request(b"x" * MEGA, "m", now, b"x" * 32), 50, (401,)),
        Flood("10 MB, stated", request(large, "m", now), 20, (413,)),
        Flood("10 MB in chunks", HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, 20, (413,)),
        Flood("gzip of 100 MB", request(BOMB, "m", now, KEY, "Content-Encoding: gzip"), 200, (415,)),
        Flood("signature twice", twice, 1_000, (401,)),
        Flood("1,000 headers", request(GOOD, "m", now, KEY, *(f"X-{n}: x" for n in range(1_000))), 200, CLOSED),
        Flood("a header of 60 KB", request(GOOD, "m", now, KEY, f"X: {'x' * 60_000}"), 200, CLOSED),
        Flood("two lengths", HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 500, CLOSED),
        Flood("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 500, CLOSED),
        Flood("signed, 1 MiB of [", request(b"[" * (MEGA - 1), "m", now), 20, (200,)),
        Flood("signed, NaN", request(b'{"a": NaN}', "m", now), 200, (200,)),
        Flood("signed, not UTF-8", request(b'{"a": "\xff"}', "m", now), 200, (200,)),
        Flood("signed, 1 MiB of {},{}", request(b"[" + b"{}," * 340_000 + b"{}]", "m", now), 10, (200,)),
    ]


async def flood(gateway: Gateway, one: Flood) -> None:
    """Send it, and print what it cost."""
    before, cpu, began = gateway.resident(), gateway.cpu(), time.perf_counter()
    statuses: dict[int, int] = {}
    remaining = iter(range(one.times))

    async def attacker(number: int) -> None:
        connection = Connection([gateway.port], number)
        for _ in remaining:
            status = await connection.ask(one.data)
            statuses[status] = statuses.get(status, 0) + 1
        connection.close()

    await asyncio.gather(*(attacker(number) for number in range(8)))
    took, used = time.perf_counter() - began, gateway.cpu() - cpu
    wrong = sum(count for status, count in statuses.items() if status not in one.expected)
    grown = (gateway.resident() - before) / MEGA
    print(
        f"{one.what:28} {statuses!s:24} {used / one.times * 1e6:9,.0f} µs CPU each, {one.times / took:7,.0f}/s, "
        f"memory {grown:+.1f} MiB{f', {wrong} UNEXPECTED' if wrong else ''}",
        flush=True,
    )


async def besides(gateway: Gateway, what: str, attack: Callable[[], Awaitable[None]]) -> None:
    """Print what an honest sender notices of an attack."""
    before, cpu = gateway.resident(), gateway.cpu()
    attacking = asyncio.ensure_future(attack())
    await asyncio.sleep(3)
    answers = await send([gateway.port], 5, 4)
    attacking.cancel()
    await asyncio.gather(attacking, return_exceptions=True)
    lost = sum(answer.status != 200 for answer in answers)
    repeated = sum(answer.attempts > 1 for answer in answers)
    seconds = [answer.seconds for answer in answers]
    print(
        f"{what:28} honest: {len(answers) / 5:,.0f} answers/s, p50 {percentile(seconds, 0.5) * 1e3:.0f} ms, "
        f"p99 {percentile(seconds, 0.99) * 1e3:.0f} ms, {repeated} repeated, {lost} lost; "
        f"{gateway.cpu() - cpu:.1f} s CPU, memory {(gateway.resident() - before) / MEGA:+.1f} MiB",
        flush=True,
    )


async def slow_bodies(port: int, connections: int) -> None:
    """A byte each half second of a body that never ends."""

    async def one() -> None:
        while True:
            await asyncio.sleep(1)
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n")
                while not writer.transport.is_closing():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.5)

    await asyncio.gather(*(one() for _ in range(connections)))


async def held_bodies(port: int, connections: int) -> None:
    """Nearly the whole of the largest body, and then nothing."""

    async def one() -> None:
        while True:
            await asyncio.sleep(1)
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 999_999)
                await reader.read()

    await asyncio.gather(*(one() for _ in range(connections)))


async def silent(port: int, connections: int) -> None:
    """Connections that send a part of a head."""

    async def one() -> None:
        while True:
            await asyncio.sleep(1)
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(HEAD)
                await reader.read()

    await asyncio.gather(*(one() for _ in range(connections)))


async def attacks(gateway: Gateway) -> None:
    for one in floods():
        await flood(gateway, one)

    async def nothing() -> None:
        await asyncio.sleep(60)

    await besides(gateway, "no attack", nothing)
    await besides(gateway, "300 slow bodies", lambda: slow_bodies(gateway.port, 300))
    await besides(gateway, "100 held bodies of 1 MB", lambda: held_bodies(gateway.port, 100))
    await besides(gateway, "1,000 silent connections", lambda: silent(gateway.port, 1_000))
    await besides(gateway, "no attack, afterwards", nothing)


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as name, on_cores(OTHERS), Broker() as broker:
        folder, topics = Path(name), Topics("bench", prefix=f"bench{time.time_ns()}.")
        asyncio.run(create(broker.bootstrap, topics, partitions=PARTITIONS))
        with Gateway(broker.bootstrap, topics, folder) as gateway:
            gateway.ready()
            asyncio.run(attacks(gateway))


if __name__ == "__main__":
    main()
