"""An event must not become dearer: the bytecodes that its whole way through the core takes have an upper bound.

Times depend on the machine, and machine instructions on the compiler of the interpreter. The bytecodes that the interpreter
runs depend on its version alone, so this bound is the same on every machine. It does not show what C code costs that is
called; ``benchmarks/cycle.py --count`` does.

A failure means that an ordinary event takes a tenth more steps than before. Find them (the message names the functions that
take most), or raise the bound if what an event now does is worth it.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.language.policies import load, shipped
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.wire.decode import decode
from stream.wire.effect import encode_event, encode_with_headers
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from types import FrameType

    from stream.sla.effects import Effect
    from stream.sla.ticket.state import State

MINUTE: Final = 60_000_000
TICKETS: Final = 12
STEPS: Final = {(3, 11): 4_500, (3, 12): 4_280, (3, 13): 3_970}
"""Version of the interpreter to the bytecodes of an event, as they were when last looked at; later versions as the last."""


def life(number: int) -> list[Event]:
    """Opened, answered, discussed, pending, answered by the customer, worked on, handed over, solved."""
    fields = {"contract": "priority-support", "sender": "registered", "priority": f"p{1 + number % 4}", "channel": "email"}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("ticket.created", {"fields": fields, "actor": "customer"}),
        ("comment.added", {"actor": "agent", "public": True}),
        ("comment.added", {"actor": "agent"}),
        ("ticket.changed", {"fields": {"status": "pending"}}),
        ("comment.added", {"actor": "customer", "public": True}),
        ("ticket.changed", {"fields": {"status": "open"}}),
        ("ticket.changed", {"fields": {"assignee": f"agent-{number}"}}),
        ("ticket.changed", {"fields": {"status": "solved"}}),
    ]
    at = 1_763_000_000_000_000 + number * 1_000_000
    return [
        Event(at=at + step * 9 * MINUTE, id=f"{number}-{step}", type=kind, source="desk", **rest)  # type: ignore[arg-type]
        for step, (kind, rest) in enumerate(steps)
    ]


def records(first: int) -> list[tuple[bytes, bytes]]:
    """Keys and values of the events of some tickets."""
    return [
        (f"desk/{number}".encode(), encode_event(f"desk/{number}", event))
        for number in range(first, first + TICKETS)
        for event in life(number)
    ]


def process(engine: Engine, feed: list[tuple[bytes, bytes]]) -> None:
    """Each event from its record to the records of its effects and of its ticket."""
    tickets: dict[bytes, bytes] = {}
    for key, value in feed:
        read = decode(key, value, now=None)
        assert isinstance(read, Incoming)
        state: State | None = codec.decode(tickets[key]) if key in tickets else None
        step = engine.apply(state, read.ticket, read.event, read.event.at)
        tickets[key] = codec.encode(step.state)
        effects: tuple[Effect, ...] = step.effects
        for effect in effects:
            encode_with_headers(effect, ("ce_source", b"/breachwatch"))


def steps_of_an_event() -> Counter[str]:
    """Bytecodes by function, of an event in the mean."""
    engine = Engine(load([shipped("batoi")]))
    process(engine, records(0))  # what is found once and remembered
    feed, counts = records(TICKETS), Counter[str]()

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        code = frame.f_code
        name = f"{Path(code.co_filename).stem}.{code.co_name}"
        frame.f_trace_lines, frame.f_trace_opcodes = False, True

        def step(_frame: FrameType, event: str, _argument: Any) -> Any:
            if event == "opcode":
                counts[name] += 1
            return step

        return step

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 counts bytecodes only if some frame wanted it before
    sys.settrace(enter)
    try:
        process(engine, feed)
    finally:
        sys.settrace(before)
    return Counter({name: count // len(feed) for name, count in counts.items()})


def test_an_event_takes_no_more_steps_than_it_did() -> None:
    steps = steps_of_an_event()
    version = max(known for known in STEPS if known <= sys.version_info[:2])
    dearest = ", ".join(f"{name} {count}" for name, count in steps.most_common(12))
    print(steps.total(), dearest)

    assert steps.total() <= 1.1 * STEPS[version], f"{steps.total()} bytecodes an event instead of {STEPS[version]}: {dearest}"
    assert steps.total() >= 0.8 * STEPS[version], "an event has become cheaper: lower the bound"
