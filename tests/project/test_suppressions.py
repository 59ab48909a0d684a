"""Whoever turns off a check for a line gives the reason: there, or where the file first turns off the same check."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "deploy", "docs", "grafana", "schemas", "stream")
"""Not the tests: there a fake stands for the real type, which needs no reason."""
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if "node_modules" not in file.parts)
SUPPRESSION = re.compile(r"#\s*(?:noqa:\s*(?P<rules>[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)|type:\s*ignore\[(?P<errors>[\w, -]+)\])")


def unexplained(file: Path) -> list[str]:
    """Line and check of each suppression for which the file gives no reason up to there."""
    explained: set[str] = set()
    found = []
    with tokenize.open(file) as source:
        comments = [token for token in tokenize.generate_tokens(source.readline) if token.type == tokenize.COMMENT]
    for comment in comments:
        matches = list(SUPPRESSION.finditer(comment.string))
        if not matches:
            continue
        checks = {check.strip() for match in matches for check in (match["rules"] or match["errors"]).split(",")}
        if comment.string[matches[-1].end() :].strip():
            explained |= checks
        found += [f"{comment.start[0]}: {check}" for check in sorted(checks - explained)]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_check_that_is_turned_off_has_a_reason(file: Path) -> None:
    assert unexplained(file) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["x = 1  # noqa: S311  no secret", "y = 1  # noqa: S311"], []),
        (["x = 1  # noqa: S311", "y = 1  # noqa: S311  no secret"], ["1: S311"]),
        (["x = 1  # noqa: A002, ARG002"], ["1: A002", "1: ARG002"]),
        (["x = 1  # type: ignore[misc]  # no types", "y = 1  # type: ignore[arg-type]"], ["2: arg-type"]),
        (['x = "# noqa: S311"'], []),
    ],
)
def test_a_suppression_without_a_reason_is_found(tmp_path: Path, lines: list[str], expected: list[str]) -> None:
    file = tmp_path / "module.py"
    file.write_text("\n".join(lines) + "\n", "utf-8")

    assert unexplained(file) == expected
