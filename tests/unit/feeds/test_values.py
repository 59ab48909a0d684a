"""The values of a mapping: templates, tables, first matches, times and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.feeds.mappings import events_of, mapping_of, read_by, unmapped_of

if TYPE_CHECKING:
    from pathlib import Path

    from stream.feeds.reading import Reading

TEXT = """\
source: desk
tables: {words: {"1": one, "true": "yes", "1.5": half, "": empty}}
common: {ticket: "7", at: "2026-11-29T02:01:11Z", id: x}
events: [{say: {type: ticket.created, fields: {custom: VALUE}}}]
"""


def reading_of(folder: Path, value: str, payload: dict[str, Any]) -> Reading:
    return read_by(mapping_of(folder, TEXT.replace("VALUE", value)), payload)


@pytest.mark.parametrize(
    ("value", "payload", "expected"),
    [
        ("gold", {}, "gold"),
        ("5", {}, "5"),
        ("1.5", {}, "1.5"),
        ("true", {}, True),
        ("null", {}, None),
        ('"{a}"', {"a": 5}, "5"),
        ('"{a}"', {"a": 2.0}, "2"),
        ('"{a}"', {"a": False}, False),
        ('"{a}"', {"a": ""}, ""),
        ('"{a}"', {"a": ["x", 1, None, True]}, ["x", "1", True]),
        ('"{a}-{b.c}!"', {"a": 1, "b": {"c": "z"}}, "1-z!"),
        ('"{a}-{b.c}!"', {"a": 1}, None),
        ('"{a}-{b.c}!"', {"a": "", "b": {"c": "z"}}, None),
        ('"{a.b}"', {"a": "text"}, None),
        ('{from: "{a}", table: words}', {"a": 1}, "one"),
        ('{from: "{a}", table: words}', {"a": True}, "yes"),
        ('{from: "{a}", table: words}', {"a": 1.5}, "half"),
        ('{from: "{a}", table: words}', {"a": ""}, "empty"),
        ('{from: "{a}", table: words}', {}, None),
        ('{from: "{a}", split: ","}', {"a": "x, y,,z"}, ["x", "y", "z"]),
        ('{from: "{a}", split: ","}', {"a": ["x, y"]}, ["x, y"]),
        ('{from: "{a}", split: ","}', {"a": ""}, []),
        ('[{when: a, is: first}, {when: b, is: "{b}"}, {is: last}]', {"a": 1, "b": "second"}, "first"),
        ('[{when: a, is: first}, {when: b, is: "{b}"}, {is: last}]', {"b": "second"}, "second"),
        ('[{when: a, is: first}, {when: b, is: "{b}"}, {is: last}]', {}, "last"),
        ("[{when: a, is: first}]", {}, None),
        ("""'{a[?name == `"x"`] | [0].to}'""", {"a": [{"name": "x", "to": "y"}]}, "y"),
    ],
)
def test_a_value_of_a_ticket_field(tmp_path: Path, value: str, payload: dict[str, Any], expected: object) -> None:
    (event,) = events_of(reading_of(tmp_path, value, payload))

    assert event["fields"].get("custom") == expected


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("s", 1795917671, "2026-11-29T02:01:11Z"),
        ("s", "1795917671", "2026-11-29T02:01:11Z"),
        ("s", 1795917671.25, "2026-11-29T02:01:11.25Z"),
        ("ms", 1795917671123, "2026-11-29T02:01:11.123Z"),
        ("iso", "2026-11-29T02:01:11.5+0530", "2026-11-28T20:31:11.5Z"),
        ("iso", "2026-11-29T02:01:11.123456789Z", "2026-11-29T02:01:11.123457Z"),
        ("iso, zone: Asia/Kolkata", "2026-11-29 02:01", "2026-11-28T20:31:00Z"),
        ("iso, zone: Asia/Kolkata", "2026-11-29T02:01:00Z", "2026-11-29T02:01:00Z"),
        ('"%d/%m/%Y %H:%M", zone: Europe/Brussels', "29/11/2026 02:01", "2026-11-29T01:01:00Z"),
        ('"%d/%m/%Y %H:%M %z"', "29/11/2026 02:01 +0100", "2026-11-29T01:01:00Z"),
        # In the hour that autumn repeats it is the first.
        ("iso, zone: Europe/Brussels", "2026-10-25 02:30", "2026-10-25T00:30:00Z"),
    ],
)
def test_a_time_in_one_of_the_forms(tmp_path: Path, form: str, value: object, expected: str) -> None:
    (event,) = events_of(reading_of(tmp_path, f'{{from: "{{a}}", time: {form}}}', {"a": value}))

    assert event["fields"]["custom"] == expected


@pytest.mark.parametrize(
    ("form", "value", "reason"),
    [
        ("s", "soon", "is not a number"),
        ("s", True, "is not a number"),
        ("s", "NaN", "is not a number"),
        ("s", "1e999999999", "is outside the years 1970 to 2199"),
        ("s", float("inf"), "is outside the years 1970 to 2199"),
        ("s", 10**30, "is outside the years 1970 to 2199"),
        ("s", -1, "is outside the years 1970 to 2199"),
        ("ms", [5], "is not a number"),
        ("iso", 1795917671, "a number needs `time: s`"),
        ("iso", "2026-11-29 02:01", "has no offset from UTC"),
        ("iso", "yesterday", "does not have the form of an ISO 8601 time"),
        ("iso, zone: Europe/Brussels", "2026-03-29 02:30", "does not exist in Europe/Brussels"),
        ("iso, zone: Europe/Brussels", "0001-01-01 00:00", "is outside the years"),
        ("iso, zone: Europe/Brussels", "9999-12-31 23:59", "is outside the years"),
        ('"%d/%m/%Y %H:%M", zone: UTC', "2026-11-29 02:01", "does not have the form %d/%m/%Y %H:%M"),
        ('"%d/%m/%Y %H:%M", zone: UTC', 5, "is not the text of a time"),
    ],
)
def test_a_time_of_another_form_is_unmapped(tmp_path: Path, form: str, value: object, reason: str) -> None:
    unmapped = unmapped_of(reading_of(tmp_path, f'{{from: "{{a}}", time: {form}}}', {"a": value}))

    assert reason in unmapped.reason
    assert (unmapped.line, unmapped.path) == (4, "a")


@pytest.mark.parametrize(
    ("value", "payload", "reason"),
    [
        ('"{a}/x"', {"a": ["x"]}, "a list, where a text or a number is needed"),
        ('"{a}/x"', {"a": {"b": 1}}, "an object, where a text or a number is needed"),
        ('{from: "{a}", table: words}', {"a": 2}, "the table `words` has no row for `2`"),
        ('{from: "{a}", table: words}', {"a": "x" * 100}, "xxx..."),
        ('{from: "{a}", table: words}', {"a": ["1"]}, "a list, where"),
        ('{from: "{a}", split: ","}', {"a": {}}, "an object, where"),
        ("\"{starts_with(a, 'x')}\"", {"a": 5}, "invalid type for value: 5"),
        ('"{sum(a)}"', {"a": ["x"]}, "invalid type for value"),
    ],
)
def test_a_value_that_does_not_fit_its_form_is_unmapped(
    tmp_path: Path, value: str, payload: dict[str, Any], reason: str
) -> None:
    assert reason in unmapped_of(reading_of(tmp_path, value, payload)).reason
