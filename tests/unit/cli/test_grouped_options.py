"""The help of ``breachwatch worker`` has every setting below a heading."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from stream.cli.grouped_options import GROUPS, heading_of
from stream.cli.main import main
from stream.runtime.settings import ENTRIES, flag


@pytest.mark.parametrize("name", ENTRIES)
def test_every_setting_has_a_heading(name: str) -> None:
    assert heading_of(name) in GROUPS


def test_the_help_has_each_heading_with_its_settings() -> None:
    text = CliRunner().invoke(main, ["worker", "--help"]).output
    places = [text.index(f"\n{heading}:") for heading in (*GROUPS, "Other options")]

    assert places == sorted(places)
    assert [name for name in ENTRIES if f"  {flag(name)} " not in text] == []
    assert text.index("--config") > places[-1]
