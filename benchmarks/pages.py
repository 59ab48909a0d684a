"""What a page costs a worker with a million open tickets: how long its event loop is held, and the thread that asks.

A query blocks the loop while it reads the first entries of the timer queues (500, and 3,000 if those are not enough, but for
at most ``MAX_BLOCKING``). The thread of the page decodes and explains. These figures are CPU time. For comparison, the same run
searches every ticket for the next deadlines.

Then a flood: another process asks for pages over 16 connections without pause, while a task on the loop sleeps for a
millisecond again and again and notes by how much it is late. With the limits of a worker, without any, and without a flood.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from itertools import islice
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from stream.language.policies import load, shipped
from stream.observe.pages.limits import Limits
from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Site
from stream.observe.server import serve
from stream.runtime.settings import Settings
from stream.runtime.timers import TimerQueue
from stream.runtime.viewer import Viewer
from stream.runtime.worker import THREAD_SECONDS
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.explain.explain import explain_state

if TYPE_CHECKING:
    from stream.sla.policy.conditions import Fields

OPEN, SHARED, PARTITIONS, ROUNDS = 1_000_000, 5_000, 4, 9
SECONDS = 8.0
"""Of each flood."""
DAY = 86_400_000_000


def states(engine: Engine, start: int) -> list[tuple[bytes, int]]:
    """States of tickets that were opened within a week, and when each is due to be woken."""
    dice, made = Random(7), []
    for number in range(SHARED):
        fields: Fields = {
            "contract": "priority-support",
            "sender": "registered",
            "priority": f"p{1 + number % 4}",
            "channel": "email",
        }
        at = start + dice.randrange(7 * DAY)
        step = engine.apply(None, f"desk/{number}", Event(at=at, id="e", type="ticket.created", source="b", fields=fields), at)
        if step.wake_at is not None:
            made.append((codec.encode(step.state), step.wake_at))
    return made


def main() -> None:
    engine = Engine(load([shipped("batoi")]))
    pool = states(engine, 1_763_000_000_000_000)
    partitions: dict[int, Any] = {}
    for number in range(PARTITIONS):
        chosen = [(b"%d" % key, *pool[key % len(pool)]) for key in range(number, OPEN, PARTITIONS)]
        deadlines = TimerQueue()
        for key, _, wake in chosen:
            deadlines.move(key, None, wake + int(key))
        partitions[number] = SimpleNamespace(
            number=number,
            watermark=0,
            tickets={key: state for key, state, _ in chosen},
            timers=deadlines,
            sweep=None,
            swept=0,
        )
    app: Any = SimpleNamespace(
        shards=lambda: list(partitions.values()), engine=engine, deployments=None, settings=Settings(policies=("batoi",))
    )
    viewer = Viewer(app, max_blocking=60)
    for looks in (500, 3_000):
        times = []
        for _ in range(ROUNDS):
            began = time.thread_time()
            viewer._soonest(looks)
            times.append(time.thread_time() - began)
        print(f"event loop held, {looks:5} entries of {OPEN:,}: CPU, median {1e3 * statistics.median(times):6.2f} ms")
        walk = statistics.median(times)
    stored = [state for state, _ in viewer._soonest(3_000)[0]]
    began = time.thread_time()
    for state in stored:
        viewer._running(state, 0)
    print(f"thread, {len(stored)} tickets read: {1e3 * (time.thread_time() - began):6.2f} ms")
    began = time.thread_time()
    for state in islice(partitions[0].tickets.values(), 50_000):
        viewer._running(state, 0)
    scan = (time.thread_time() - began) * OPEN / 50_000
    print(f"a scan of every ticket: {scan:6.2f} s (from 50,000 of them), {scan / walk:,.0f} times the walk of 3,000")
    began = time.thread_time()
    for state in stored[:200]:
        explain_state(engine.policies, codec.decode(state))
    print(f"thread, a ticket's page: {1e6 * (time.thread_time() - began) / 200:6.0f} µs to explain")
    app.events_loop, app.address, app.rebalancing, app.started = None, "http://127.0.0.1:0", False, True
    app.readiness, app.workers = lambda: (True, "live"), dict
    for partition in partitions.values():
        partition.live, partition.open_counts, partition.clock = True, SimpleNamespace(open=0), lambda wall: wall
    sys.setswitchinterval(THREAD_SECONDS)  # as a worker does
    boundless = Limits(at_once=1_000, a_second=1e9, burst=1e9)
    flood(app, "nobody asks", None)
    flood(app, "a flood, with limits", Site(Viewer(app)))
    flood(app, "a flood, without", Site(Viewer(app, max_blocking=60, fresh=-1), boundless))
    sys.setswitchinterval(0.005)
    flood(app, "and as Python does it", Site(Viewer(app, max_blocking=60, fresh=-1), boundless))


def flood(app: Any, name: str, site: Site | None) -> None:
    """Print how late the loop was, and what was answered."""
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), lambda: (True, "live"), site))
    asking = None
    if site is not None:
        asking = subprocess.Popen(
            [sys.executable, "-c", ASK, str(server.port), str(SECONDS)], stdout=subprocess.PIPE, text=True
        )
    late = sorted(asyncio.run(lateness(app)))
    answered = asking.communicate()[0].strip() if asking is not None else ""
    server.close()
    figures = ", ".join(f"p{share:g} {1e3 * late[int(len(late) * share / 100)]:6.2f}" for share in (50, 99, 99.9))
    print(f"{name:21}: loop late by {figures}, most {1e3 * late[-1]:7.2f} ms  {answered}")


async def lateness(app: Any) -> list[float]:
    app.events_loop = asyncio.get_running_loop()
    late, end = [], time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < end:
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - began - 0.001)
    return late


ASK = """
import collections, http.client, sys, threading, time
port, seconds = int(sys.argv[1]), float(sys.argv[2])
seen, end = collections.Counter(), time.monotonic() + seconds
def ask(number):
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/" if number % 2 else f"/tickets/{number}")
            seen[connection.getresponse().status] += 1
        except OSError as error:
            seen[type(error).__name__] += 1
        finally:
            connection.close()
threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(", ".join(f"{count / seconds:.0f}/s {status}" for status, count in sorted(seen.items(), key=str)))
"""


if __name__ == "__main__":
    main()
