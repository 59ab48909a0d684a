"""Two weeks of a desk in a Prometheus: what the pictures of the dashboards show."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backfill import import_rules, import_samples, rules
from desk import DAY, END, SAMPLED_EVERY, SAMPLED_FROM, feed, samples
from prometheus_server import serving

from stream.demo.command import write_policy
from stream.language.policies import load, shipped
from stream.sla.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_server import Prometheus

RULES: Final = Path(__file__).parents[2] / "prometheus/rules"
STEP: Final = SAMPLED_EVERY // 1_000_000
"""Seconds between two samples."""
_TWO_WEEKS: Final = 14 * DAY // 1_000_000
_FLAGS: Final = ("--query.lookback-delta=20m", "--storage.tsdb.retention.time=50y")


@contextmanager
def two_weeks() -> Iterator[Prometheus]:
    """The server. ``ended`` is the moment of the last days at which most is about to be breached."""
    with tempfile.TemporaryDirectory(prefix="breachwatch-weeks-") as name:
        folder = Path(name)
        (folder / "prometheus.yml").write_text("{}\n", "utf-8")
        policies = [write_policy(folder), shipped("botpenguin")]
        loaded = load(policies)
        records = feed(loaded.calendars["batoi-office"], loaded.calendars["botpenguin-service"])
        text = folder / "desk.om"
        with text.open("w", encoding="utf-8") as out:
            out.writelines(samples(Engine(loaded), records))
        import_samples(folder, text)
        text.unlink()
        start, end = SAMPLED_FROM // 1_000_000, END // 1_000_000 - STEP
        import_rules(folder, rules(sorted(RULES.glob("*.yml")), "1h", STEP), start, end, STEP, _FLAGS)
        with serving(folder, *_FLAGS) as prometheus:
            # Not at the instant of a sample, which would belong to the windows on both sides of it.
            prometheus.ended = _busiest(prometheus, end) + 1
            prometheus.began = prometheus.ended - _TWO_WEEKS
            yield prometheus


def _busiest(prometheus: Prometheus, end: int) -> float:
    """Within the last day: the end of a day is quiet, and shows little."""
    soon, overdue = (f'sum(sla_open_commitment_remaining_seconds_bucket{{le="{le}"}})' for le in ("3600.0", "0.0"))
    (series,) = prometheus.over_time(f"{soon} - {overdue}", end - DAY // 1_000_000, end, STEP)
    return float(max(series["values"], key=lambda point: float(point[1]))[0])
