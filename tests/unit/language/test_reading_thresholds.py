from collections.abc import Callable
from typing import Any

import pytest

from stream.language.thresholds import read_after, read_at, read_duration, read_target, read_warnings
from stream.sla.calendar.duration import Duration
from stream.sla.policy.policy import Threshold, ThresholdKind


def read(reader: Callable[..., Any], data: Any) -> Any:
    problems = []
    result = reader(data, lambda where, message: problems.append((where, message)))
    return problems or result


def test_warnings_are_shares_time_used_or_time_left_in_the_order_written() -> None:
    assert read(read_warnings, ["2bd", "75%", "-30m", "12.5%"]) == (
        Threshold(ThresholdKind.USED, "2bd", duration=Duration.parse("2bd")),
        Threshold(ThresholdKind.SHARE, "75%", per_mille=750),
        Threshold(ThresholdKind.LEFT, "-30m", duration=Duration.parse("30m")),
        Threshold(ThresholdKind.SHARE, "12.5%", per_mille=125),
    )


def test_one_warning_needs_no_list() -> None:
    assert read(read_warnings, "75%") == (Threshold(ThresholdKind.SHARE, "75%", per_mille=750),)


def test_levels_have_thresholds_before_at_and_after_a_deadline() -> None:
    assert read(read_at, "150%") == Threshold(ThresholdKind.SHARE, "150%", per_mille=1500)
    assert read(read_at, "-30m") == Threshold(ThresholdKind.LEFT, "-30m", duration=Duration.parse("30m"))
    assert read(read_at, "+2bh") == Threshold(ThresholdKind.AFTER, "+2bh", duration=Duration.parse("2bh"))
    assert read(read_after, "2w") == Threshold(ThresholdKind.USED, "2w", duration=Duration.parse("2w"))


@pytest.mark.parametrize(
    ("reader", "data", "message"),
    [
        (read_warnings, "100%", "is not a warning"),
        (read_warnings, "+2h", "an escalation level can be `at: +2h`"),
        (read_warnings, ["50%", "50%"], "is given twice"),
        (read_warnings, [], "at least one item"),
        (read_warnings, "0%", "must be over 0%"),
        (read_warnings, "33.33%", "in steps of 0.1%"),
        (read_warnings, "half", "'half'"),
        (read_at, "2h", "for time since the start use `after`"),
        (read_at, "1001%", "at most 1000%"),
        (read_at, "-0m", "not a length of time"),
        (read_at, 75, "must be 75%"),
        (read_after, "75%", "'75%'"),
        (read_duration, 30, "`30` of what? Write `30m`, `30bh`"),
        (read_duration, None, "must be a duration such as"),
        (read_duration, "1h4bh", "mixes"),
        (read_duration, "+1 business day", "is not a length: here write numbers with units"),
        (read_target, "1 business day at 16:00", "a delay begins with +"),
        (read_target, "+2bh", "'+2bh' is not a delay in business days: write `+5 business days`"),
        (read_target, "+1 business day at 16", "is not a time of day"),
        (read_target, "+1 business day at 24:01", "is not a time of day"),
        (read_target, "+1 business day at 16:60", "is not a time of day"),
        (read_target, "+1 business day at noon", "is not a delay"),
        (read_target, "+1 business day at 16:00, cutoff 15:00", "is not a delay"),
        (read_target, "+1 business day cutoff 24:00", "is not a time of day"),
        (read_target, "+0 business days", "ends when it starts: write `+0 business days at 16:00`"),
        (read_target, "+1000 business days", "at most 999 business days"),
        (read_target, "+1.5 business days", "is not a delay"),
        (read_target, "+1 Business Day", "is not a delay"),
        (read_target, "+1  business day", "is not a delay"),
        (read_target, 5, "`5` of what?"),
        (read_at, "-1 business day at 16:00", "a delay begins with +"),
        (read_at, "+1 business day at 25:00", "is not a time of day"),
        (read_warnings, "+1 business day at 16:00", "lies after the deadline"),
    ],
)
def test_what_is_not_a_threshold_is_refused_with_what_is_expected(reader: Callable[..., Any], data: Any, message: str) -> None:
    ((_, problem),) = read(reader, data)
    assert message in problem
