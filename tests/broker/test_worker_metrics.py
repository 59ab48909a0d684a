"""The metrics of a worker on a real broker about itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.broker.running import HOUR, START, Worker, event, publish, sent, tick, until

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics


def values(worker: Worker, name: str) -> dict[str, float]:
    """The value of each set of labels, as the page writes them."""
    return {
        labels: float(value)
        for labels, value in re.findall(rf"^{name}(\{{.*\}})? (\S+)$", worker.page("metrics"), re.MULTILINE)
    }


def test_a_worker_measures_its_lag_its_tickets_and_its_units_of_work(broker: str, topics: Topics, tmp_path: Path) -> None:
    created = [
        sent(f"desk/{n}", event(f"desk/{n}", "ticket.created", START, fields={"status": "open", "priority": "p1"}))
        for n in range(20)
    ]
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [*created, *tick(START + HOUR // 2)])
        until(lambda: sum(values(worker, "sla_tickets").values()) == 20, "all tickets are counted", worker)
        until(lambda: sum(values(worker, "sla_event_age_seconds_count").values()), "units of work were measured", worker)
        lag = until(
            lambda: (lag := values(worker, "sla_committed_lag_records")) and not any(lag.values()) and lag, "no lag", worker
        )

        assert lag.keys() == {f'{{partition="{number}"}}' for number in range(4)}
        assert sum(values(worker, "sla_tickets_waiting").values()) == 20
        assert values(worker, "sla_rebalance_seconds_count")[""] >= 1
        assert values(worker, "sla_turn_seconds_count")['{work="events"}'] > 0
        assert values(worker, "sla_unsent_effects_timestamp_seconds") == {"": 0}
        assert values(worker, "sla_clock_timestamp_seconds") == {"": (START + HOUR // 2) / 1e6}
        assert values(worker, "sla_collector_errors_total") == {
            f'{{collector="{name}"}}': 0 for name in ("open", "times", "partitions", "feeds", "topics", "deployments")
        }
        left = values(worker, "sla_open_commitment_remaining_seconds_bucket")
        half_an_hour = '{commitment="first_response",le="3600.0",policy="shop",team=""}'
        assert left[half_an_hour] == 20
        assert left[half_an_hour.replace("3600.0", "900.0")] == 0
        assert len(values(worker, "sla_policies_loaded_timestamp_seconds")) == 1
