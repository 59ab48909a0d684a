"""Every field of every class of a policy set is in its plain form, so that none is lost in a snapshot."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any

import pytest

from stream.deployments.plain import UnknownFormError, from_plain, to_plain
from stream.sla.calendar import delay, duration, week, zone
from stream.sla.calendar.calendar import Calendar
from stream.sla.calendar.week import Holiday, Holidays, Window
from stream.sla.policy import conditions, metric, policy
from stream.sla.policy.conditions import EventIs
from stream.sla.policy.policy import OnChange, Policy
from stream.sla.policy.resolve import PolicySet

MODULES = (policy, conditions, metric, delay, duration, week, zone)
CLASSES = [
    cls
    for module in MODULES
    for cls in vars(module).values()
    if isinstance(cls, type) and cls.__module__ == module.__name__ and is_dataclass(cls)
]
ENUMS = [
    cls
    for module in MODULES
    for cls in vars(module).values()
    if isinstance(cls, type) and cls.__module__ == module.__name__ and issubclass(cls, Enum) and cls is not week.StretchKind
]


def names(cls: type[Any]) -> list[str]:
    """Those that a caller gives; the others are caches."""
    return [field.name for field in fields(cls) if field.init]


def test_the_classes_of_policies_and_calendars_are_found() -> None:
    assert {"Policy", "Commitment", "Ladder", "Level", "Choice", "FieldIn", "Duration", "Content", "Zone"} <= {
        cls.__name__ for cls in CLASSES
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_of_a_class_is_in_its_plain_form_and_comes_back(cls: type[Any]) -> None:
    value = cls(**{name: f"any {name}" for name in names(cls)})
    plain = to_plain(value)
    assert set(plain) == {"is", *names(cls)}
    assert from_plain(plain) == value


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_field_that_has_its_default_is_left_out_and_comes_back(cls: type[Any]) -> None:
    needed = [field.name for field in fields(cls) if field.init and field.default is MISSING]
    value = cls(**{name: f"any {name}" for name in needed})
    plain = to_plain(value)
    assert set(plain) == {"is", *needed}
    assert from_plain(plain) == value


@pytest.mark.parametrize("cls", ENUMS, ids=lambda cls: cls.__name__)
def test_the_members_of_an_enum_come_back_as_themselves(cls: type[Enum]) -> None:
    assert all(from_plain(to_plain(member)) is member for member in cls)


def test_nothing_but_policies_and_calendars_makes_up_a_set_and_nothing_but_its_content_a_calendar() -> None:
    # A parameter more has to be added to the normal form. Metrics without a policy are of sets that nobody deploys.
    assert list(inspect.signature(PolicySet).parameters) == ["policies", "calendars", "kept"]
    assert list(inspect.signature(Calendar).parameters) == ["name", "content"]


def test_sets_come_back_and_are_written_in_one_order() -> None:
    value = EventIs(frozenset({"b", "a"}), frozenset({"agent", None}), public=False)
    assert to_plain(value)["types"] == {"is": "set", "values": ["a", "b"]}
    assert from_plain(to_plain(value)) == value


def test_windows_and_dates_come_back_as_windows_and_dates() -> None:
    window, day = from_plain(to_plain((Window(1, 2), date.min)))
    assert (type(window), type(day)) == (Window, date)
    assert (window, day) == (Window(1, 2), date.min)


def test_holidays_come_back_with_all_their_dates() -> None:
    half = Holiday("Christmas Eve", (Window(1, 2),))
    holidays = Holidays(lambda year: {date(year, 12, 24): half, date(year, 1, 1): Holiday("New Year's Day")})
    back = from_plain(to_plain(holidays))
    assert back == holidays
    assert (back.of(1969), back.of(2200)) == (holidays.of(1969), holidays.of(2200))


def test_a_value_of_an_unknown_class_is_not_written() -> None:
    @dataclass
    class Commitment:
        """Has the name of a class that has a form."""

    for value in (Commitment(), object(), {"a": "dictionary"}, week.StretchKind.OPEN):
        with pytest.raises(TypeError, match="a snapshot has no form for a"):
            to_plain(value)


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ({"is": "Promise"}, "there is nothing called 'Promise'"),
        ({**to_plain(Policy("p", 1, "c")), "mood": 1}, "a Policy has no field mood"),  # type: ignore[arg-type]
        ({"is": "OnChange", "value": "wait"}, "there is no OnChange called 'wait'"),
    ],
)
def test_what_a_newer_release_may_have_written_is_named(plain: object, text: str) -> None:
    with pytest.raises(UnknownFormError, match=text):
        from_plain(plain)


def test_an_enum_differs_from_a_text() -> None:
    assert to_plain(OnChange.RESET) != to_plain("reset")
