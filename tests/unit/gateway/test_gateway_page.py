"""The page of the gateway."""

from __future__ import annotations

import json
import re
from urllib.parse import urljoin

from stream.gateway.feed import Feed
from stream.gateway.outcomes import Entry, Outcome, RecentOutcomes
from stream.gateway.page import GatewayPage

HOSTILE = "<script>alert('x')</script>"


def _page(*entries: Entry) -> GatewayPage:
    recent = RecentOutcomes(["desk"])
    for entry in entries:
        recent.add("desk", entry)
    return GatewayPage({"desk": Feed("desk", None, None)}, recent, lambda: (True, "ready"))


def test_a_page_shows_the_newest_outcome_first_and_nothing_as_markup() -> None:
    page = _page(
        Entry(1_798_794_000_000_000, Outcome.ACCEPTED, 200, 512, 2, "", 1_500),
        Entry(1_798_794_001_000_000, Outcome.UNMAPPED, 200, 99, 0, HOSTILE, 700),
    )

    answer, plain = page.answer("/", "", "text/html"), page.answer("/", "format=json", "")

    assert answer is not None
    assert plain is not None
    assert b"<script>" not in answer.body
    assert answer.body.index(b"unmapped") < answer.body.index(b"accepted")
    (feed,) = json.loads(plain.body)["feeds"]
    assert [entry["outcome"] for entry in feed["outcomes"]] == ["unmapped", "accepted"]
    assert feed["outcomes"][1] | {"at": ""} == {
        "at": "",
        "outcome": "accepted",
        "status": 200,
        "events": 2,
        "bytes": 512,
        "seconds": 0.0015,
        "detail": "",
    }


def test_every_link_of_the_page_leads_to_a_page_of_the_gateway() -> None:
    page = _page()
    answer = page.answer("/", "", "text/html")

    assert answer is not None
    links = re.findall(rb'href="([^"]*)"', answer.body)
    assert links
    assert all(page.answer(urljoin("/", link.decode()), "", "text/html") for link in links)
