"""The distributions of open commitments equal those computed from every ticket."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from stream.observe.metrics.catalogue import AGE, LEFT
from stream.observe.metrics.commitment_metrics import CommitmentMetrics
from stream.observe.metrics.labels import BoundedLabels
from stream.observe.metrics.open_commitments import OpenCommitments
from stream.observe.metrics.open_counts import STATES
from stream.observe.metrics.open_times import OpenTimes
from stream.sla.ticket.state import OpenCommitment
from tests.unit.observe.observed import gold, policy_set

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_767_225_600_000_000
GOLD = ("gold", "first_response", "p1", "")


class Desk:
    """The counts of three partitions and their distributions at ``NOW``. A ticket's number decides its partition."""

    def __init__(self) -> None:
        self.metrics = CommitmentMetrics(BoundedLabels(policy_set(gold())), CollectorRegistry())
        commitments = OpenCommitments(self.metrics)
        self.partitions = [commitments.begin(partition) for partition in range(3)]
        self.times = OpenTimes(self.metrics, commitments, lambda: NOW)

    def open(self, ticket: int, state: str, due: int | None, began: int, labels: tuple[str, str, str, str] = GOLD) -> None:
        policy, commitment, priority, team = labels
        self.partitions[ticket % 3].add([OpenCommitment(commitment, policy, priority, team, "", state, due, began)])

    def family(self, name: str) -> Metric:
        (found,) = (family for family in self.times.collect() if family.name == name)
        return found

    def buckets(self, name: str, **labels: str) -> dict[float, float]:
        """Upper bound to the number that is not above it."""
        return {
            float(sample.labels["le"]): sample.value
            for sample in self.family(name).samples
            if labels.items() <= sample.labels.items()
        }


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_known_label_set_has_all_its_buckets_at_zero(desk: Desk) -> None:
    desk.metrics.find(*GOLD, "")

    assert set(desk.buckets(LEFT.name, policy="gold", commitment="first_response", team="").values()) == {0}
    assert len(desk.buckets(LEFT.name)) == len(LEFT.buckets) + 1
    assert set(desk.buckets(AGE.name, policy="gold", commitment="first_response").values()) == {0}


def test_breached_commitments_are_in_the_lowest_bucket_and_paused_ones_in_none(desk: Desk) -> None:
    desk.open(1, "breached", NOW - HOUR, NOW - DAY)
    desk.open(2, "running", NOW + 10 * MINUTE, NOW - DAY)
    desk.open(3, "running", NOW + 50 * MINUTE, NOW - DAY)
    desk.open(4, "paused", None, NOW - DAY)
    desk.open(5, "running", NOW + 90 * DAY, NOW - DAY)

    left = desk.buckets(LEFT.name)
    assert [left[bound] for bound in (0, 900, 1800, 3600, 86_400, float("inf"))] == [1, 2, 2, 3, 3, 4]
    assert desk.buckets(AGE.name)[float("inf")] == 5


def test_a_passed_deadline_that_was_not_processed_yet_is_in_the_lowest_bucket(desk: Desk) -> None:
    desk.open(1, "running", NOW - 3 * MINUTE, NOW - DAY)

    assert desk.buckets(LEFT.name)[0] == 1


def test_the_next_deadline_is_the_soonest_of_all_teams_to_the_minute(desk: Desk) -> None:
    desk.open(1, "running", NOW - 3 * MINUTE, NOW)
    desk.open(2, "running", NOW + 2 * HOUR + 20_000_000, NOW, ("gold", "first_response", "p1", "billing"))
    desk.open(3, "running", NOW + 3 * HOUR, NOW)
    desk.open(4, "running", NOW + 30 * DAY, NOW, ("gold", "resolution", "p1", ""))

    soonest = {
        sample.labels["commitment"]: sample.value for sample in desk.family("sla_next_deadline_timestamp_seconds").samples
    }
    assert soonest == {"first_response": (NOW + 2 * HOUR) / 1e6, "resolution": 0}


def test_the_next_deadline_is_found_in_every_partition_within_a_day(desk: Desk) -> None:
    desk.open(0, "running", NOW + 9 * MINUTE, NOW)
    desk.open(1, "running", NOW + 7 * MINUTE, NOW)
    desk.open(2, "running", NOW + DAY, NOW, ("gold", "resolution", "p1", ""))

    soonest = {
        sample.labels["commitment"]: sample.value for sample in desk.family("sla_next_deadline_timestamp_seconds").samples
    }
    assert soonest == {"first_response": (NOW + 7 * MINUTE) / 1e6, "resolution": 0}


@pytest.mark.parametrize("later", [0, 1, 7, 14])
def test_the_buckets_equal_a_count_over_every_ticket(desk: Desk, later: int) -> None:
    now = NOW + later * MINUTE
    desk.times._now = lambda: now  # type: ignore[misc]
    dice, truth = Random(7), []
    for ticket in range(4_000):
        state = dice.choice(STATES)
        due = None if state == "paused" else now + dice.randrange(-60, 5_000) * MINUTE
        began = NOW - dice.randrange(0, 50 * 96) * 15 * MINUTE
        team = dice.choice(("", "billing"))
        desk.open(ticket, state, due, began, ("gold", "first_response", dice.choice(("p1", "p2")), team))
        truth.append((state, due, began, team))

    for team in ("", "billing"):
        left = [
            (0 if state == "breached" else max(0, due - now) + MINUTE if due >= now else 0) / 1e6
            for state, due, _, whose in truth
            if whose == team and due is not None
        ]
        shown = desk.buckets(LEFT.name, team=team)
        assert shown == {bound: sum(one <= bound for one in left) for bound in (*map(float, LEFT.buckets), float("inf"))}
    ages = [(NOW - began) / 1e6 for _, _, began, _ in truth]
    assert desk.buckets(AGE.name) == {bound: sum(age <= bound for age in ages) for bound in (*AGE.buckets, float("inf"))}


def test_a_scrape_during_counting_finds_the_labels_of_every_count(desk: Desk) -> None:
    done, scraped = threading.Event(), []

    def scrape() -> None:
        while not done.is_set():
            scraped.append([sample.value for family in desk.times.collect() for sample in family.samples])

    with ThreadPoolExecutor(1) as pool:
        scraping = pool.submit(scrape)
        for ticket in range(3_000):
            labels = ("gold", f"c{ticket % 19}", "p1", f"team-{ticket % 49}")
            desk.open(ticket, STATES[ticket % 3], NOW + ticket * MINUTE, NOW - ticket * MINUTE, labels)
        done.set()
        scraping.result()

    assert all(value >= 0 for values in scraped for value in values)
    assert sum(counts.open for counts in desk.partitions) == 3_000
