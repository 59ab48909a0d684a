from __future__ import annotations

from pathlib import Path

from stream.sla.diagram import stopwatch_diagram, verdict_diagram

PAGE = Path(__file__).parents[3] / "docs/internals/state-machines.md"


def test_the_diagrams_of_the_documentation_are_those_of_the_tables() -> None:
    text = PAGE.read_text("utf-8")

    assert stopwatch_diagram() in text
    assert verdict_diagram() in text


def test_a_diagram_shows_every_transition() -> None:
    assert "    running --> paused: pause" in stopwatch_diagram()
    assert "    breached --> met_late" in verdict_diagram()
