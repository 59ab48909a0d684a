"""The order in which a sweep wakes tickets, while the instants of the tickets change."""

from __future__ import annotations

from random import Random

from stream.runtime.partition.sweep import Sweep
from stream.runtime.timers import TimerQueue


def test_tickets_with_an_instant_come_first_and_the_soonest_first() -> None:
    timers = TimerQueue()
    for key, instant in ((b"c", 30), (b"a", 10), (b"b", 20)):
        timers.set(key, instant)
    sweep = Sweep(1, [b"d", b"c", b"b", b"a", b"e"], timers)
    sweep.add(b"b")

    assert len(sweep) == 6
    assert [sweep.take() for _ in range(7)] == [b"a", b"b", b"c", b"d", b"e", b"b", None]
    assert len(sweep) == 0


def test_whatever_happens_to_the_others_every_ticket_comes() -> None:
    """Events give and take instants between two turns; what they change has met the deployment."""
    random = Random(7)
    for _ in range(200):
        timers, keys = TimerQueue(), [b"%d" % number for number in range(40)]
        for key in keys:
            for _ in range(random.randint(0, 2)):
                timers.set(key, random.choice([None, random.randrange(100)]))
        sweep, met = Sweep(1, keys, timers), set[bytes]()
        while (taken := sweep.take()) is not None:
            met.add(taken)
            for other in random.sample(keys, 2):
                met.add(other)
                timers.set(other, random.choice([None, random.randrange(100)]))

        assert met == set(keys)
