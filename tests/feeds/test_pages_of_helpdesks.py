"""The mappings on the pages of helpdesks have no problem, and do what the pages state."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import check, load
from stream.feeds.reading import read
from tests.feeds.recorded import FOLDER, RECEIVED
from tests.feeds.vendors import documents

if TYPE_CHECKING:
    from pathlib import Path

    from stream.feeds.mapping import FeedMapping

DOCS = FOLDER.parent.parent / "docs"
PAGES = {path.stem: path for path in [*DOCS.glob("feeds/*.md"), DOCS / "reference/feed-mapping.md"]}
BLOCKS = [
    (name, block)
    for name, path in PAGES.items()
    for block in re.findall(r"```yaml\n(extends: .*?)```", path.read_text("utf-8"), re.DOTALL)
]


def written(folder: Path, name: str) -> str:
    """The first mapping of a page as a file."""
    path = folder / "own.yaml"
    path.write_text(dict(reversed(BLOCKS))[name], "utf-8")
    return str(path)


def events(folder: Path, name: str, documents_of: list[tuple[str, Any]]) -> list[Any]:
    mapping = load(written(folder, name))
    found = [read(mapping, payload, {}, RECEIVED) for _, payload in documents_of]
    assert all(reading.unmapped is None for reading in found)
    return [json.loads(event.value) for reading in found for event in reading.events]


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_a_mapping_on_a_page_has_no_problem(name: str, block: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(block, "utf-8")

    assert [str(problem) for problem in check(path).problems] == []


def test_the_pages_have_mappings() -> None:
    assert {"zendesk", "jira", "freshdesk", "hubspot", "glpi", "feed-mapping"} <= {name for name, _ in BLOCKS}


@pytest.mark.parametrize("name", ["jira", "freshdesk", "hubspot"])
def test_a_status_of_your_own_is_mapped_by_a_row(name: str, tmp_path: Path) -> None:
    folder = {"freshdesk": "unmapped-pulled"}.get(name, "unmapped-payloads")
    payloads = [
        (label, json.loads(json.dumps(payload).replace('"status": 12', '"status": 8')))
        for label, payload in documents(name, folder)
    ]

    found = events(tmp_path, name, payloads)

    assert any(event.get("fields", {}).get("status") in {"on_hold", "open"} for event in found)


def test_the_contract_and_the_name_of_a_group_of_zendesk(tmp_path: Path) -> None:
    _, created = documents("zendesk", "payloads")[0]
    field = {"current": "gold", "previous": None, "custom_field": {"id": "360001", "type": "dropdown"}}
    changed = {**created, "type": "zen:event-type:ticket.custom_field_changed", "event": field}

    found = events(tmp_path, "zendesk", [("created", created), ("changed", changed)])

    assert {"team": "first line"} in [event["fields"] for event in found]
    assert found[-1]["fields"] == {"contract": "gold"}


def test_a_ticket_of_glpi_that_is_restored_is_back(tmp_path: Path) -> None:
    found = events(tmp_path, "glpi", documents("glpi", "payloads"))

    assert [event["type"] for event in found if event["ticket"] == "glpi/82"][-3:] == [
        "ticket.created",
        "ticket.restored",
        "ticket.changed",
    ]


def test_an_account_of_the_site_that_comments_in_jira_is_an_agent_only_by_the_mapping_for_customer_accounts(
    tmp_path: Path,
) -> None:
    payloads = documents("jira", "payloads")
    own = tmp_path / "own.yaml"
    own.write_text([block for name, block in BLOCKS if name == "jira"][1], "utf-8")

    def comments(mapping: FeedMapping) -> set[str]:
        found = [read(mapping, payload, {}, RECEIVED) for _, payload in payloads]
        return {
            json.loads(event.value)["id"] for reading in found for event in reading.events if b"comment.added" in event.value
        }

    pulled = [payload for _, payload in documents("jira", "pulled")]
    known = {payload["document"]["comment"]["id"] for payload in pulled if "comment" in payload["document"]}
    assert comments(load("jira")) == {"comment-30003", "comment-30004", "comment-30006"}
    assert comments(load(str(own))) == {f"comment-{number}" for number in known}
