"""Shipped policies as snapshots: what comes back, what the fingerprint depends on, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from stream.deployments import snapshot
from stream.deployments.snapshot import FORM, SnapshotError, decode, encode, fingerprint, normal_form
from stream.language.policies import load
from stream.sla.calendar.calendar import Calendar
from stream.sla.calendar.week import NO_HOLIDAYS, Holiday, Holidays
from stream.sla.policy.resolve import PolicySet
from stream.testing import Story, play, read_story
from stream.wire.effect import encode_effect
from tests.stories.test_stories import HERE, STORIES

if TYPE_CHECKING:
    from collections.abc import Iterator

SHIPPED = ("batoi", "botpenguin", "baar", "starter")


@cache
def shipped(*names: str) -> PolicySet:
    return load(names)


def contents(policies: PolicySet) -> dict[str, Any]:
    return {name: calendar.content for name, calendar in policies.calendars.items()}


@pytest.mark.parametrize("names", [*((name,) for name in SHIPPED), SHIPPED], ids="-".join)
def test_a_shipped_policy_comes_back(names: tuple[str, ...]) -> None:
    policies = shipped(*names)
    back = decode(encode(policies))
    assert back.policies == policies.policies
    assert contents(back) == contents(policies)
    assert normal_form(back) == normal_form(policies)


@cache
def stored(policies: PolicySet) -> PolicySet:
    return decode(encode(policies))


def _effects(story: Story) -> list[bytes]:
    return [encode_effect(effect) for effect in play(story)]


@pytest.mark.parametrize("data", [pytest.param(story, id=f"{stem}: {story['story']}") for stem, story in STORIES])
def test_a_story_has_the_same_effects_to_the_byte(data: dict[str, Any]) -> None:
    story = read_story(data, HERE / "policies")
    expected = _effects(story)
    assert _effects(replace(story, policies=stored(story.policies))) == expected


def test_the_order_of_dictionaries_changes_nothing() -> None:
    policies = shipped(*SHIPPED)
    reordered = PolicySet(policies.policies, dict(reversed(list(policies.calendars.items()))))
    assert encode(reordered) == encode(policies)


def test_the_order_of_policies_counts_because_the_first_that_applies_wins() -> None:
    policies = shipped(*SHIPPED)
    assert fingerprint(PolicySet(policies.policies[::-1], policies.calendars)) != fingerprint(policies)


def test_processes_agree_on_the_fingerprint() -> None:
    program = (
        "from stream.language.policies import load\nfrom stream.deployments.snapshot import encode, fingerprint\n"
        f"policies = load({SHIPPED})\nprint(fingerprint(policies), encode(policies).hex())"
    )
    found = set()
    for seed in ("0", "4711"):  # and that of this process
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())}
        answer = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        found.add(answer.stdout.strip())
    assert found == {f"{fingerprint(shipped(*SHIPPED))} {encode(shipped(*SHIPPED)).hex()}"}


def _edited_leaves(value: Any) -> Iterator[Any]:
    if value is None:
        yield "something"
    elif isinstance(value, Enum):
        yield from (member for member in type(value) if member is not value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield value + 1
    elif isinstance(value, date):
        yield value + timedelta(days=1)
    else:
        assert isinstance(value, str), f"no edit for {value!r}"
        yield value + "x"


def _edited_holidays(holidays: Holidays) -> Iterator[Holidays]:
    days = holidays.days()
    yield Holidays.listed({**days, date(2199, 2, 3): Holiday("one more")})
    for first in list(days)[:1]:
        yield Holidays.listed({**days, first: Holiday("renamed")})
        yield Holidays.listed({day: holiday for day, holiday in days.items() if day != first})


def edits(value: Any) -> Iterator[Any]:
    """The value with one thing in it changed, in each way that its parts allow."""
    if isinstance(value, Holidays):
        yield from _edited_holidays(value)
    elif isinstance(value, frozenset):
        yield value | {"one more"}
        yield from (value - {part} for part in value)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if field.init:
                yield from (replace(value, **{field.name: edit}) for edit in edits(getattr(value, field.name)))
    elif isinstance(value, tuple):
        remade = getattr(value, "_make", tuple)
        for place, part in enumerate(value):
            if min(place, len(value) - place) < 20:  # a zone has hundreds of changes
                yield from (remade((*value[:place], edit, *value[place + 1 :])) for edit in edits(part))
    else:
        yield from _edited_leaves(value)


def _fingerprint(policies: object, calendars: dict[str, Any]) -> str:
    """Also of policies that could not be read, as most edits are."""
    return fingerprint(SimpleNamespace(policies=policies, calendars=calendars))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_single_edit_of_a_policy_has_a_fingerprint_of_its_own(name: str) -> None:
    policies = shipped(name)
    found = [_fingerprint(edited, {}) for edited in edits(policies.policies)]  # calendars take time and are the same
    assert len(found) > 100
    assert len({_fingerprint(policies.policies, {}), *found}) == 1 + len(found)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_single_edit_of_a_calendar_has_a_fingerprint_of_its_own(name: str) -> None:
    policies = shipped(name)
    found = [
        _fingerprint((), {**policies.calendars, one: SimpleNamespace(content=edited)})
        for one, calendar in policies.calendars.items()
        for edited in edits(calendar.content)
    ]
    assert len(found) > 20
    assert len({_fingerprint((), dict(policies.calendars)), *found}) == 1 + len(found)


def test_a_moved_holiday_or_change_of_clocks_changes_the_fingerprint() -> None:
    policies = shipped("starter")
    content = policies.calendars["office"].content
    version = content.versions[0]
    days = version.holidays.days()
    moved = {(day + timedelta(days=1) if day == date(2026, 12, 25) else day): holiday for day, holiday in days.items()}
    zone = content.zone
    later = replace(zone, changes=(*zone.changes[:-1], zone.changes[-1] + 1))
    found = {fingerprint(policies)}
    for edited in (
        replace(content, versions=(replace(version, holidays=Holidays.listed(moved)),)),
        replace(content, versions=(replace(version, holidays=NO_HOLIDAYS),)),
        replace(content, zone=later),
    ):
        found.add(fingerprint(PolicySet(policies.policies, {**policies.calendars, "office": Calendar("office", edited)})))
    assert len(found) == 4


def test_a_comment_in_a_file_changes_nothing(tmp_path: Path) -> None:
    text = Path("schemas/examples/policy/valid/calendars.yaml").read_text()
    (tmp_path / "one.yaml").write_text(text)
    (tmp_path / "two.yaml").write_text(f"# Another comment\n{text}")
    assert fingerprint(load([tmp_path / "one.yaml"])) == fingerprint(load([tmp_path / "two.yaml"]))


def test_a_snapshot_of_all_shipped_policies_is_a_few_kilobytes() -> None:
    assert len(encode(shipped(*SHIPPED))) < 32_768


def test_a_set_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(encode(shipped("batoi")))
    monkeypatch.setattr(snapshot, "MAX_BYTES", size)
    encode(shipped("batoi"))
    monkeypatch.setattr(snapshot, "MAX_BYTES", size - 1)
    with pytest.raises(SnapshotError, match=f"the policies are too large: {size:,} bytes compressed"):
        encode(shipped("batoi"))


def test_a_snapshot_may_have_eight_mebibytes() -> None:
    assert snapshot.MAX_BYTES == 8 * 1024 * 1024


def remade(change: Any) -> bytes:
    """A snapshot of which the plain form was changed in place."""
    plain = json.loads(normal_form(shipped("batoi")))
    change(plain)
    return bytes([FORM]) + zlib.compress(msgspec.json.encode(plain))


@pytest.mark.parametrize("place", [0, 1, 2, 500, -1])
def test_a_flipped_bit_is_noticed(place: int) -> None:
    data = bytearray(encode(shipped("batoi")))
    data[place] ^= 4
    with pytest.raises(SnapshotError):
        decode(bytes(data))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "the snapshot is empty"),
        (b"\x02abc", r"has form 2, and this release reads forms up to 1: a newer breachwatch wrote it; upgrade"),
        (b"\x00abc", "its form, which is never 0"),
        (b"\x01", "damaged"),
        (b"\x01abc", "damaged"),
        (b"\x01" + zlib.compress(b"{}"), "damaged"),
        (b"\x01" + zlib.compress(b"[]"), "damaged"),
        (b"\x01" + zlib.compress(b"nonsense"), "damaged"),
        (b"\x01" + zlib.compress(b'{"calendars":{},"policies":"a text"}'), "damaged"),
        (b"\x01" + zlib.compress(b"[" * 100_000), "damaged"),
    ],
)
def test_bytes_that_are_no_snapshot_are_refused_with_a_clear_text(data: bytes, text: str) -> None:
    with pytest.raises(SnapshotError, match=text):
        decode(data)


def test_a_snapshot_that_is_cut_short_or_goes_on_is_refused() -> None:
    data = encode(shipped("batoi"))
    for other in (data[:-1], data[:100], data + b"x", data + data):
        with pytest.raises(SnapshotError, match="damaged"):
            decode(other)


def test_a_small_snapshot_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_NORMAL_BYTES", 1000)
    with pytest.raises(SnapshotError, match="too large"):
        decode(b"\x01" + zlib.compress(b" " * 1001))


def test_a_field_of_a_newer_release_is_refused_by_name() -> None:
    data = remade(lambda plain: plain["policies"][0].update(mood="good"))
    with pytest.raises(SnapshotError, match="a Policy has no field mood in this release: a newer breachwatch wrote"):
        decode(data)


def test_a_calendar_without_a_content_is_refused() -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        decode(remade(lambda plain: plain["calendars"]["batoi-office"].update(versions=[])))
