"""A file has one job and about 100 to 250 lines; a longer one gives the reason at its top."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "deploy", "docs", "grafana", "schemas", "stream")
MOST = 250
LONG = sorted(
    file
    for folder in FOLDERS
    for file in (ROOT / folder).rglob("*.py")
    if "node_modules" not in file.parts and len(file.read_text("utf-8").splitlines()) > MOST
)


@pytest.mark.parametrize("file", LONG, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_long_file_gives_the_reason(file: Path) -> None:
    text = " ".join((ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split())

    assert f"onger than {MOST} lines because " in text
