"""Payloads that lack something, or have something of another type, where the vendor's documentation has it."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.wire.decode import read as decode
from stream.wire.incoming import Incoming
from tests.feeds.recorded import FOLDER, RECEIVED
from tests.feeds.vendors import VENDORS, documents

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**40,
    "",
    "x",
    "\ud800",
    "{}",
    [],
    [None],
    [{}],
    {},
    {"id": {"id": 1}},
    [[1]],
)
_Place = tuple[Any, Any]


def places(value: Any) -> Iterator[_Place]:
    """Every container in a payload with a key or position in it."""
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from places(inner)


def damaged(payload: Any, random: Random) -> Any:
    """The payload with one to three places emptied, or filled with another value."""
    copy = deepcopy(payload)
    for _ in range(random.randint(1, 3)):
        if not (found := list(places(copy))):
            break
        container, key = random.choice(found)
        if random.random() < 0.3:
            del container[key]
        else:
            container[key] = deepcopy(random.choice(OTHER))
    return copy


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_damaged_payload_is_unmapped_or_gives_valid_events_and_never_an_error(vendor: str) -> None:
    mapping, random = load(vendor), Random(vendor)
    folders = [path.name for path in (FOLDER / vendor).iterdir() if path.is_dir()]
    for folder in sorted(folders):
        for name, payload in documents(vendor, folder):
            for _ in range(TIMES):
                found = read(mapping, damaged(payload, random), {}, RECEIVED)
                assert not (found.events and found.unmapped), name
                for event in found.events:
                    decoded = decode(event.value)
                    assert isinstance(decoded, Incoming)
                    assert decoded.ticket.startswith(f"{vendor}/")


TIMES = 8
