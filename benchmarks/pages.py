"""What a page costs a worker with a million open tickets: how long its event loop is held, and the thread that asks.

The loop is held while the first entries of the deadlines' heaps are walked (500, and 3,000 where that is not enough); decoding
and explaining is done in the asking thread. All figures are CPU time. In the same run, to compare with: looking at every
ticket for the soonest.
"""

from __future__ import annotations

import statistics
import time
from itertools import islice
from random import Random
from types import SimpleNamespace
from typing import Any

from stream.language.policies import load, shipped
from stream.runtime.deadlines import Deadlines
from stream.runtime.settings import Settings
from stream.runtime.viewer import Viewer
from stream.sla import codec
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.explain import explain_state

OPEN, SHARED, PARTITIONS, ROUNDS = 1_000_000, 5_000, 4, 9
DAY = 86_400_000_000


def states(engine: Engine, start: int) -> list[tuple[bytes, int]]:
    """States of tickets that were opened within a week, and when each is due to be woken."""
    dice, made = Random(7), []
    for number in range(SHARED):
        fields = {"contract": "priority-support", "sender": "registered", "priority": f"p{1 + number % 4}", "channel": "email"}
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
        partitions[number] = SimpleNamespace(
            number=number,
            watermark=0,
            tickets={key: state for key, state, _ in chosen},
            deadlines=Deadlines((key, wake + int(key)) for key, _, wake in chosen),
        )
    app: Any = SimpleNamespace(partitions=partitions, engine=engine, settings=Settings(policies=("batoi",)))
    viewer = Viewer(app)
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


if __name__ == "__main__":
    main()
