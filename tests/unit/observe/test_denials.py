"""Log lines about denied requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.observe.denials import Denials

if TYPE_CHECKING:
    import pytest


def test_a_denied_request_is_logged_with_its_client_and_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    Denials().add("192.0.2.7", "/tickets/x\n2026 CRITICAL all is lost" + "y" * 1_000, "a wrong token")

    (line,) = caplog.messages
    assert line.startswith(r"denied '/tickets/x\n2026 CRITICAL all is lost")
    assert line.endswith("yyy' to 192.0.2.7: a wrong token")
    assert len(line) < 200


def test_a_flood_of_requests_is_one_line_in_ten_seconds_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    denials = Denials(lambda: now)
    for _ in range(1_000):
        denials.add("192.0.2.7", "/", "a wrong token")
    assert len(caplog.messages) == 1
    now = 110.0
    denials.add("192.0.2.8", "/", "no token")

    assert caplog.messages[1:] == [
        "denied '/' to 192.0.2.8: no token; 999 more were denied since the last such line",
    ]
