"""The watchdog: what counts as standing still, and that it says what does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stream.runtime.watchdog import LOOKS, Standstill, StandstillError, Watchdog


def test_work_that_is_not_done_for_too_many_looks_is_named() -> None:
    standstill = Standstill()
    for _ in range(LOOKS):
        standstill.see("the input of partition 3", busy=True, progress=7)

    with pytest.raises(StandstillError, match="the input of partition 3"):
        standstill.see("the input of partition 3", busy=True, progress=7)


def test_who_does_some_of_it_or_has_nothing_to_do_does_not_stand_still() -> None:
    standstill = Standstill()

    for look in range(10 * LOOKS):
        standstill.see("slow", busy=True, progress=look // (LOOKS - 1))
        standstill.see("idle", busy=False, progress=0)
        standstill.see("now and then", busy=look % LOOKS != 0, progress=0)


def test_a_rebalance_begins_the_count_anew() -> None:
    standstill = Standstill()

    for look in range(10 * LOOKS):
        if look % LOOKS == 0:
            standstill.forget()
        standstill.see("the input", busy=True, progress=0)


def test_a_rebalance_that_never_ends_is_named_later_than_other_work_and_not_while_tickets_are_restored() -> None:
    app: Any = SimpleNamespace(rebalancing=True, tasks={}, consumer_generation_id=3, store=SimpleNamespace(progress=0))
    watchdog = Watchdog(app, allowed=16, rebalance=24)
    patience = LOOKS + LOOKS * 24 // 16

    for look in range(10 * patience):
        app.store.progress = look // (patience - 1)
        watchdog._look()
    app.store.progress = -1
    for _ in range(patience):
        watchdog._look()
    with pytest.raises(StandstillError, match="joining the group and restoring tickets"):
        watchdog._look()
