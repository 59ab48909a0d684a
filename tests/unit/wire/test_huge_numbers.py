"""A number that no double holds never refuses an event, unless it stands where the contract has a number of its own."""

from __future__ import annotations

import pytest

from stream.wire.decode import Rejected, RejectReason, read
from stream.wire.incoming import Incoming

EVENT = '{"type":"ticket.created","id":"1","source":"s","ticket":"t","at":"2026-03-02T09:30:00Z",%s}'


def fields(text: str) -> dict[str, str | list[str]]:
    found = read((EVENT % f'"fields":{{"status":"open",{text}}}').encode())
    assert isinstance(found, Incoming), found
    return {name: value for name, value in (found.event.fields or {}).items() if name != "status"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"amount": 1e400', {"amount": "1e400"}),
        ('"amount": -1.5E+99999999999', {"amount": "-1.5E+99999999999"}),
        ('"amount": [1, 1e400, "1e400"]', {"amount": ["1", "1e400", "1e400"]}),
        ('"amount": {"of": [[1e400]]}', {}),
        ('"priority": 1e400', {"priority": "1e400"}),
        ('"note": "1e400 \\\\\\" 1e400", "amount": 1e400', {"note": '1e400 \\" 1e400', "amount": "1e400"}),
        ('"amount": 1e-400', {"amount": "0"}),
    ],
)
def test_the_number_is_the_text_of_the_record(text: str, expected: dict[str, str | list[str]]) -> None:
    assert fields(text) == expected


def test_an_integer_of_more_digits_than_are_converted_is_cut_like_any_text() -> None:
    found = fields(f'"amount": {"9" * 5_000}')["amount"]

    assert (found[:3], found[-1], len(found)) == ("999", "…", 1024)


def test_in_its_place_in_the_contract_it_is_refused_with_the_path() -> None:
    refused = read((EVENT % '"seq":1e400,"fields":{"amount":1e400}').encode())

    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.path) == (RejectReason.INVALID, "$.seq")


def test_a_leap_second_and_a_number_may_be_in_one_event() -> None:
    text = EVENT.replace("09:30:00Z", "23:59:60Z") % '"fields":{"amount":1e400}'

    assert isinstance(read(text.encode()), Incoming)


def test_an_event_without_fields_that_is_wrong_stays_wrong() -> None:
    assert isinstance(read((EVENT % '"seq":"x"').encode()), Rejected)
