"""The names that ``breachwatch erase`` takes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from stream.cli.main import main
from stream.wire.ticket_event import MAX_ID


@pytest.mark.parametrize("name", ["", "x" * (MAX_ID + 1), "desk/M\udcfcller"])
def test_a_name_that_no_ticket_can_have_is_refused_before_anything_is_asked_or_published(name: str) -> None:
    result = CliRunner().invoke(main, ["erase", "desk/1", name, "--yes"])

    assert result.exit_code == 2
    assert "is not the name of a ticket" in result.output
