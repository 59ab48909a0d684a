"""A suspended process detects its suspension, and a clock that is set makes no timer early and loses none."""

from __future__ import annotations

from stream.runtime.clock import SystemClock
from stream.runtime.suspension import SuspensionDetector

SECOND = 1_000_000
NOON = 1_798_794_000 * SECOND


class _Machine:
    """A monotonic clock and a clock that can be set."""

    def __init__(self) -> None:
        self.passed = 0
        self.wall = NOON
        self.steps: list[int] = []
        self.clock = SystemClock(self.steps.append, lambda: self.wall, lambda: self.passed)

    def after(self, micros: int) -> int:
        self.passed += micros
        self.wall += micros
        return self.clock.now()


def test_time_follows_the_wall_clock_and_small_corrections_are_not_steps() -> None:
    machine = _Machine()

    for _ in range(10):
        machine.wall += 900_000
        assert machine.after(SECOND) == machine.wall

    assert machine.steps == []


def test_a_step_ahead_is_counted_and_takes_effect_after_half_a_second() -> None:
    machine = _Machine()
    machine.wall += 3_600 * SECOND

    assert machine.after(0) == NOON
    assert machine.after(400_000) == NOON + 400_000
    assert machine.after(100_000) == machine.wall
    assert machine.steps == [3_600 * SECOND]


def test_a_step_ahead_that_is_corrected_at_once_has_no_effect() -> None:
    machine = _Machine()
    machine.wall += 3_600 * SECOND
    seen = [machine.after(0), machine.after(200_000)]
    machine.wall -= 3_600 * SECOND
    seen += [machine.after(200_000), machine.after(200_000)]

    assert seen == [NOON, NOON + 200_000, NOON + 400_000, NOON + 600_000]
    assert machine.steps == [3_600 * SECOND, -3_600 * SECOND]


def test_a_clock_that_is_set_back_reaches_the_same_instant_again() -> None:
    machine = _Machine()
    machine.after(10 * SECOND)
    machine.wall -= 10 * SECOND

    assert machine.after(SECOND) == NOON + SECOND
    assert machine.steps == [-10 * SECOND]
    assert machine.after(9 * SECOND) == NOON + 10 * SECOND


def test_frequent_checks_are_not_a_suspension_and_a_long_gap_is_one() -> None:
    checks = iter([0.0, 1.0, 3.5, 6.5, 9.6, 9.7])
    suspension_detector = SuspensionDetector(3.0, lambda: next(checks))

    assert [suspension_detector.check() for _ in range(5)] == [0, 0, 0, 1, 1]
