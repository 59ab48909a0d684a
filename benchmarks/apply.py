"""The core alone: ``Engine.apply`` for events in order, on the shipped Batoi policy.

    python benchmarks/apply.py [--tickets 2000]

Prints the mean per event, of each round, for a life of eight events a ticket, and the same with every state
decoded before and encoded after the event, as a worker without a cache would have it.
"""

from __future__ import annotations

import argparse
import time

from figures import figure, machine

from stream.language.policies import load, shipped
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import Event

ROUNDS = 7
TARGET = 10.0
MINUTE = 60_000_000
START = 1_763_000_000_000_000


def life(number: int) -> list[Event]:
    """Opened, answered, asked back, pending, answered by the customer, worked on, answered, solved."""
    fields = {
        "contract": "priority-support",
        "sender": "registered",
        "priority": f"p{1 + number % 4}",
        "channel": ("ticket", "email", "chat", "phone")[number // 4 % 4],
        "customer": f"customer-{number % 50}",
        "team": f"team-{number % 7}",
    }
    at = START + number * 1_000_000
    more = [
        ("ticket.created", {"fields": fields, "actor": "customer"}),
        ("comment.added", {"actor": "agent", "public": True}),
        ("comment.added", {"actor": "agent"}),
        ("ticket.changed", {"fields": {"status": "pending"}}),
        ("comment.added", {"actor": "customer", "public": True}),
        ("ticket.changed", {"fields": {"status": "open"}}),
        ("ticket.changed", {"fields": {"assignee": f"agent-{number % 30}"}}),
        ("ticket.changed", {"fields": {"status": "solved"}}),
    ]
    return [
        Event(at=at + step * 9 * MINUTE, id=f"{number}-{step}", type=kind, source="bench", **rest)  # type: ignore[arg-type]  # typed as text
        for step, (kind, rest) in enumerate(more)
    ]


def one_round(engine: Engine, lives: list[list[Event]], *, coded: bool) -> tuple[float, int]:
    """CPU microseconds an event, and effects."""
    effects = 0
    began = time.process_time()
    for number, events in enumerate(lives):
        ticket, state, data = f"T-{number}", None, None
        for event in events:
            if coded:
                state = None if data is None else codec.decode(data)
            step = engine.apply(state, ticket, event, event.at)
            state = step.state
            effects += len(step.effects)
            if coded:
                data = codec.encode(state)
    return (time.process_time() - began) / sum(map(len, lives)) * 1e6, effects


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=2_000)
    tickets = options.parse_args().tickets
    engine = Engine(load([shipped("batoi")]))
    lives = [life(number) for number in range(tickets)]
    events = sum(map(len, lives))
    print(machine())
    print(f"{events} events a round")
    for name, coded in (("apply", False), ("decode + apply + encode", True)):
        one_round(engine, lives[:200], coded=coded)
        runs = [one_round(engine, lives, coded=coded) for _ in range(ROUNDS)]
        times = [took for took, _ in runs]
        figure(f"core alone, {name}: CPU of an event in order", times, "us", TARGET if not coded else None)
    print(f"{runs[0][1] / events:.2f} effects an event")


if __name__ == "__main__":
    main()
