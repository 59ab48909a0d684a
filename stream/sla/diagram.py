"""The state diagrams of the reference, drawn from the tables that the engine obeys: ``python -m stream.sla.diagram``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.ticket import commitment_state, stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from enum import IntEnum


def _drawn(edges: Iterable[tuple[str, str, str]], first: IntEnum) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {first.name.lower()}"
    for before, after, label in edges:
        yield f"    {before} --> {after}{': ' if label else ''}{label}"
    yield "```"


def stopwatch_diagram() -> str:
    """Mermaid of the phases of a stopwatch and the signals between them."""
    edges = [
        (before.name.lower(), after.name.lower(), signal.value)
        for before, signals in stopwatch.TABLE.items()
        for signal, after in signals.items()
    ]
    return "\n".join(_drawn(edges, stopwatch.Phase.IDLE))


def verdict_diagram() -> str:
    """Mermaid of the verdicts on a commitment and what may follow what."""
    edges = [
        (before.name.lower(), after.name.lower(), "")
        for before, next_ in commitment_state.TABLE.items()
        for after in sorted(next_)
    ]
    return "\n".join(_drawn(edges, commitment_state.Verdict.PENDING))


if __name__ == "__main__":
    print(stopwatch_diagram(), verdict_diagram(), sep="\n\n")
