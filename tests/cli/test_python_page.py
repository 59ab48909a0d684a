"""The page about Python: its code runs as shown, block after block, and prints what the page shows."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs/guides/python.md").read_text("utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
PUBLIC = re.findall(r"^\| `(stream[\w.]*)` \| (.+) \|$", PAGE, re.MULTILINE)


def test_every_block_runs_and_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code, shown in BLOCK.findall(PAGE):
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(code, "python.md", "exec"), names)

        assert printed.getvalue() == shown


def test_every_python_block_is_found() -> None:
    assert len(BLOCK.findall(PAGE)) == PAGE.count("```python\n") > 5


@pytest.mark.parametrize(("module", "listed"), PUBLIC)
def test_the_public_names_exist(module: str, listed: str) -> None:
    assert [name for name in re.findall(r"`(\w+)`", listed) if not hasattr(import_module(module), name)] == []


def test_every_name_that_the_page_imports_is_public() -> None:
    public = {(module, name) for module, listed in PUBLIC for name in re.findall(r"`(\w+)`", listed)}
    imported = {
        (module, name)
        for module, listed in re.findall(r"^from (stream[\w.]*) import (.+)$", PAGE, re.MULTILINE)
        for name in listed.split(", ")
    }

    assert imported <= public
