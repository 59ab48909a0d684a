"""What a page costs a worker with a million open tickets: how long its event loop is held, and the thread that asks.

    python benchmarks/pages.py [--open 1000000] [--seconds 8]

A query blocks the loop while it reads the first entries of the timer queues (500, and 3,000 if those are not enough, but for
at most ``MAX_BLOCKING``). The thread of the page decodes and explains. These figures are CPU time. For comparison, the same run
searches every ticket for the next deadlines.

Then a flood: another process asks for pages over 16 connections without pause, while a task on the loop sleeps for a
millisecond again and again and notes by how much it is late. With the limits of a worker, without any, and without a flood.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from itertools import islice
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from faust.types import TP
from figures import machine
from prometheus_client import CollectorRegistry
from stand_ins import TakingChangelog, TakingOutputs

from stream.language.policies import load, shipped
from stream.observe.metrics.registry import Metrics
from stream.observe.pages.limits import Limits
from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Site
from stream.observe.server import serve
from stream.runtime.kafka.topics import Topics
from stream.runtime.partition.lifecycle import State
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings import Settings
from stream.runtime.timers import Expirations, TimerQueue
from stream.runtime.viewer import Viewer
from stream.runtime.worker import THREAD_SECONDS
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.explain.explain import explain_state

if TYPE_CHECKING:
    from stream.sla.policy.conditions import Fields

SHARED, PARTITIONS, ROUNDS = 5_000, 4, 9
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
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--open", type=int, default=1_000_000, help="tickets; %(default)s")
    options.add_argument("--seconds", type=float, default=8.0, help="of each flood; %(default)s")
    chosen = options.parse_args()
    open_, seconds = chosen.open, chosen.seconds
    print(machine())
    engine = Engine(load([shipped("batoi")]))
    pool = states(engine, 1_763_000_000_000_000)
    settings = Settings(policies=("batoi",))
    metrics = Metrics(engine.policies)
    shards = []
    for number in range(PARTITIONS):
        rows = [(b"%d" % key, *pool[key % len(pool)]) for key in range(number, open_, PARTITIONS)]
        index = TicketIndex(TimerQueue(), Expirations(), metrics.open_commitments.begin(number), TicketLists())
        for key, _, wake in rows:
            index.timers.move(key, None, wake + int(key))
        logs = Logs(TakingOutputs(Topics("bench"), number), TakingChangelog())
        tickets = Tickets()
        for key, state, _ in rows:
            tickets[key] = state
        shard = Shard(settings, TP("ticket-events", number), tickets, index, logs, Checkpoint())
        shard.life.enter(State.CATCHING_UP)
        shard.life.enter(State.RUNNING)
        shards.append(shard)
    app: Any = SimpleNamespace(shards=lambda: shards, engine=engine, deployments=None, settings=settings)
    viewer = Viewer(app, max_blocking=60)
    for count in (500, 3_000):
        times = []
        for _ in range(ROUNDS):
            began = time.thread_time()
            viewer._soonest(count)
            times.append(time.thread_time() - began)
        print(f"event loop held, {count:5} entries of {open_:,}: CPU, median {1e3 * statistics.median(times):6.2f} ms")
        walk = statistics.median(times)
    stored = [state for state, _ in viewer._soonest(3_000)[0]]
    began = time.thread_time()
    for state in stored:
        viewer._running(state, 0)
    print(f"thread, {len(stored)} tickets read: {1e3 * (time.thread_time() - began):6.2f} ms")
    read = min(50_000, len(shards[0].tickets))
    began = time.thread_time()
    for _, state in islice(shards[0].tickets.items(), read):
        viewer._running(state, 0)
    scan = (time.thread_time() - began) * open_ / read
    print(f"a scan of every ticket: {scan:6.2f} s (from {read:,} of them), {scan / walk:,.0f} times the walk of 3,000")
    began = time.thread_time()
    for state in stored[:200]:
        explain_state(engine.policies, codec.decode(state))
    print(f"thread, a ticket's page: {1e6 * (time.thread_time() - began) / 200:6.0f} µs to explain")
    app.events_loop, app.address, app.rebalancing, app.started = None, "http://127.0.0.1:0", False, True
    app.readiness, app.workers = lambda: (True, "live"), dict
    sys.setswitchinterval(THREAD_SECONDS)  # as a worker does
    boundless = Limits(at_once=1_000, a_second=1e9, burst=1e9)
    flood(app, "nobody asks", None, seconds)
    flood(app, "a flood, with limits", Site(Viewer(app)), seconds)
    flood(app, "a flood, without", Site(Viewer(app, max_blocking=60, fresh=-1), boundless), seconds)
    sys.setswitchinterval(0.005)
    flood(app, "and as Python does it", Site(Viewer(app, max_blocking=60, fresh=-1), boundless), seconds)


def flood(app: Any, name: str, site: Site | None, seconds: float) -> None:
    """Print how late the loop was, and what was answered. ``seconds``: how long it takes."""
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), lambda: (True, "live"), site))
    asking = None
    if site is not None:
        asking = subprocess.Popen(
            [sys.executable, "-c", ASK, str(server.port), str(seconds)], stdout=subprocess.PIPE, text=True
        )
    late = sorted(asyncio.run(lateness(app, seconds)))
    answered = asking.communicate()[0].strip() if asking is not None else ""
    server.close()
    figures = ", ".join(f"p{share:g} {1e3 * late[int(len(late) * share / 100)]:6.2f}" for share in (50, 99, 99.9))
    print(f"{name:21}: loop late by {figures}, most {1e3 * late[-1]:7.2f} ms  {answered}")


async def lateness(app: Any, seconds: float) -> list[float]:
    app.events_loop = asyncio.get_running_loop()
    late, end = [], time.perf_counter() + seconds
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
