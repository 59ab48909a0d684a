"""``breachwatch publish``: errors before anything is published. Other tests publish to a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.devkafka.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path


def _publish(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["publish", *arguments])


@pytest.fixture
def feed(tmp_path: Path) -> str:
    file = tmp_path / "feed.jsonl"
    file.write_text('{"type":"feed.tick","source":"desk","at":"2026-03-02T09:00:00Z"}\n', "utf-8")
    return str(file)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf"])
def test_a_speed_is_a_number_above_zero_or_max(feed: str, speed: str) -> None:
    result = _publish(feed, "--speed", speed)

    assert result.exit_code == 2
    assert "60, or max" in result.output


@pytest.mark.parametrize(("span", "advice"), [("0s", "use 1m"), ("often", "5m, 1h or 30d")])
def test_the_interval_of_ticks_is_a_length_of_time(feed: str, span: str, advice: str) -> None:
    result = _publish(feed, "--tick-every", span)

    assert result.exit_code == 2
    assert advice in result.output


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    result = _publish(str(tmp_path / "none.jsonl"))

    assert result.exit_code == 1
    assert "none.jsonl" in result.output


def test_an_absent_broker_is_an_error_with_advice(feed: str) -> None:
    address = f"127.0.0.1:{free_port()}"

    result = _publish(feed, "--broker", address)

    assert result.exit_code == 1
    assert address in result.output
    assert "BREACHWATCH_BROKER" in result.output
