"""The order in which a sweep wakes tickets, while the instants of the tickets change."""

from __future__ import annotations

from random import Random

from stream.runtime.partition.sweep import Sweep
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.timers import TimerQueue
from stream.sla.codec import codec
from stream.sla.ticket.state import State, Ticket


class Index:
    """Tickets and their timers, which change together."""

    def __init__(self) -> None:
        self.tickets, self.timers = Tickets(), TimerQueue()
        self._wake_at: dict[bytes, int | None] = {}

    def put(self, key: bytes, instant: int | None) -> None:
        state = State(Ticket(key.decode(), next=instant))
        self.timers.move(key, self._wake_at.get(key), state.wake_at)
        self.tickets[key] = codec.encode(state)
        self._wake_at[key] = state.wake_at


def test_tickets_with_an_instant_come_first_and_the_soonest_first() -> None:
    index = Index()
    for key, instant in ((b"d", None), (b"c", 30), (b"b", 20), (b"a", 10), (b"e", None)):
        index.put(key, instant)
    sweep = Sweep(1, index.tickets, index.timers)
    sweep.add(b"b")

    assert len(sweep) == 6
    assert [sweep.take() for _ in range(7)] == [b"a", b"b", b"c", b"d", b"e", b"b", None]
    assert len(sweep) == 0


def test_tickets_that_share_an_instant_come_though_one_of_them_has_left_it() -> None:
    index = Index()
    for key in (b"a", b"b", b"c"):
        index.put(key, 10)
    sweep = Sweep(1, index.tickets, index.timers)
    index.put(b"b", 20)

    assert [sweep.take() for _ in range(4)] == [b"a", b"b", b"c", None]
    assert len(sweep) == 0


def test_whatever_happens_to_the_others_every_ticket_comes() -> None:
    """Events give and take instants between two units of work; what they change has met the deployment."""
    random = Random(7)
    for most in (3, 100):
        for _ in range(100):
            index, keys = Index(), [b"%d" % number for number in range(40)]
            for key in keys:
                index.put(key, None)
                for _ in range(random.randint(0, 2)):
                    index.put(key, random.choice([None, random.randrange(most)]))
            sweep, met = Sweep(1, index.tickets, index.timers), set[bytes]()
            assert len(sweep) == 40
            while (taken := sweep.take()) is not None:
                met.add(taken)
                for other in random.sample(keys, 2):
                    met.add(other)
                    index.put(other, random.choice([None, random.randrange(most)]))

            assert met == set(keys)
