"""The pages of feeds: each shipped mapping has one with ten steps, and the mappings in the documentation are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.feeds.mapping import check, shipped
from tests.feeds.recorded import SYSTEMS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    *sorted((DOCS / "feeds").glob("*.md")),
    DOCS / "guides/connect-a-helpdesk.md",
    DOCS / "reference/feed-mapping.md",
]
MAPPING = re.compile(r"^```yaml\n((?:extends|title|source):.*?)^```", re.MULTILINE | re.DOTALL)
MAPPINGS = [(page.name, text) for page in PAGES for text in MAPPING.findall(page.read_text("utf-8"))]


@pytest.mark.parametrize(("page", "text"), MAPPINGS)
def test_a_mapping_on_a_page_is_valid_and_has_no_warning(page: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text, "utf-8")

    assert [str(problem) for problem in check(file).problems] == []


def test_pages_show_mappings() -> None:
    assert {page for page, _ in MAPPINGS} >= {"rt.md", "redmine.md", "feed-mapping.md", "connect-a-helpdesk.md"}


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_mapping_has_a_page_that_sets_it_up_in_ten_steps(name: str) -> None:
    page = (DOCS / "feeds" / f"{name}.md").read_text("utf-8")

    steps = page.partition("## Set it up")[2].partition("\n## ")[0]
    assert [line.partition(".")[0] for line in steps.splitlines() if re.match(r"\d+\. ", line)] == [
        str(n) for n in range(1, 11)
    ]
    assert "## What it cannot know" in page
    assert f"]({name}.md)" in (DOCS / "feeds/README.md").read_text("utf-8")


def test_every_page_is_of_a_shipped_mapping() -> None:
    assert {path.stem for path in (DOCS / "feeds").glob("*.md")} == {"README", *SYSTEMS}
