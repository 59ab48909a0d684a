"""The internals of Faust, mode and aiokafka on which ``stream/runtime`` relies, and which no version guarantees.

If one of these tests fails after an upgrade, read the new source at that place and ``docs/internals/adr`` before changing code.
"""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiokafka.admin.client
import aiokafka.client
import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer import fetcher
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.metadata import MetadataRequest_v5
from faust.app.base import App as FaustApp
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores import memory
from faust.tables.base import Collection
from faust.tables.manager import TableManager as FaustTableManager
from faust.tables.recovery import Recovery as FaustRecovery
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.language.policies import load as load_policies
from stream.language.policies import shipped
from stream.observe.metrics.registry import Metrics
from stream.runtime.app import App
from stream.runtime.kafka import transport
from stream.runtime.kafka.assignor import Assignor
from stream.runtime.kafka.consumer import Consumer, ConsumerThread
from stream.runtime.kafka.positions import Batch
from stream.runtime.kafka.transport import Producer, Record, Transport
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY
from stream.runtime.recovery.store import Store
from stream.runtime.recovery.table_recovery import Recovery, TableManager
from stream.runtime.settings_sources import load
from stream.runtime.worker import wire
from stream.sla.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OURS = {
    Consumer: driver.Consumer,
    ConsumerThread: driver.AIOKafkaConsumerThread,
    Producer: driver.Producer,
    Store: memory.Store,
    App: FaustApp,
    Assignor: PartitionAssignor,
    Recovery: FaustRecovery,
    TableManager: FaustTableManager,
}
_OVERRIDDEN = [
    (Consumer, "_new_consumer_thread"),
    (Consumer, "_getmany"),
    (Consumer, "getmany"),
    (Consumer, "ack"),
    (Consumer, "force_commit"),
    (Consumer, "seek_wait"),
    (Consumer, "perform_seek"),
    (Consumer, "on_partitions_assigned"),
    (Consumer, "on_partitions_revoked"),
    (Consumer, "_add_gap"),
    (Consumer, "verify_event_path"),
    (ConsumerThread, "_create_worker_consumer"),
    (Producer, "_settings_extra"),
    (Store, "persisted_offset"),
    (Store, "set_persisted_offset"),
    (Store, "apply_changelog_batch"),
    (Store, "on_rebalance"),
    (Assignor, "_perform_assignment"),
    (Recovery, "on_recovery_completed"),
    (Recovery, "_build_highwaters"),
    (App, "_on_agent_error"),
    (App, "_on_partitions_revoked"),
    (App, "on_rebalance_end"),
    (App, "on_start"),
    (App, "on_stop"),
    (App, "_new_transport"),
    (App, "_new_producer_transport"),
    (App, "_create_directories"),
]


@pytest.fixture
def app() -> Iterator[App]:
    policies = load_policies([shipped("batoi")])
    # Faust's services make two event loops, which only their stop would close: a common one and one of the consumer's thread.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    made = wire(load({"policies": "batoi"}, {}), Metrics(policies), Engine(policies))
    yield made
    if made._consumer is not None:
        made._consumer._thread.thread_loop.close()
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def consumer(app: App) -> Consumer:
    made = app.consumer
    assert isinstance(made, Consumer)
    return made


def _source(function: Callable[..., Any]) -> str:
    return inspect.getsource(inspect.unwrap(function))


def _in_order(text: str, *parts: str) -> bool:
    places = [text.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


@pytest.mark.parametrize(
    ("package", "known"), [("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1"), ("aiokafka", "0.14.0")]
)
def test_the_versions_are_those_whose_source_was_read(package: str, known: str) -> None:
    assert version(package) == known


@pytest.mark.parametrize(("ours", "name"), _OVERRIDDEN, ids=lambda value: getattr(value, "__name__", value))
def test_overridden_methods_exist_and_have_the_same_parameters(ours: type[object], name: str) -> None:
    theirs = getattr(_OURS[ours], name)

    assert list(inspect.signature(getattr(ours, name)).parameters) == list(inspect.signature(theirs).parameters)


def test_faust_makes_our_consumer_producer_and_store(app: App) -> None:
    assert isinstance(app.transport, Transport)
    assert isinstance(app.consumer, Consumer)
    assert isinstance(app.producer, Producer)
    assert isinstance(app.store, Store)
    assert app.table.changelog_topic_name == app.topic_names.changelog


def test_all_partitions_are_assigned_even_if_the_cluster_does_not_show_them_yet(app: App) -> None:
    topics = {app.topic_names.events, app.topic_names.changelog}
    members = {name: app.assignor.metadata(topics) for name in ("one", "two")}

    assigned = app.assignor.assign(ClusterMetadata(), members)

    found = [(topic, number) for one in assigned.values() for topic, number in one.partitions()]
    assert sorted(found) == sorted((topic, number) for topic in topics for number in range(app.settings.partitions))
    assert all(one.partitions() for one in assigned.values())


def test_a_worker_without_partitions_is_ready_and_states_why_it_has_none(app: App) -> None:
    app._started.set()
    app.rebalancing, app.rebalancing_count = False, 1

    assert app.readiness() == (True, "live, and a spare: other workers have all partitions")


class _Member(Assignor):
    """A worker of a group whose members share an app."""

    def __init__(self, app: App, url: str) -> None:
        super().__init__(app)
        self.url = url

    @property
    def _url(self) -> str:
        return self.url


def test_every_worker_knows_the_partitions_of_all_and_sends_no_more_than_its_own(app: App) -> None:
    topics = {app.topic_names.events, app.topic_names.changelog}
    members = {url: _Member(app, url) for url in (f"http://10.0.0.{number}:9300" for number in range(50))}
    for _ in range(2):
        joined = {url: member.metadata(topics) for url, member in members.items()}
        assigned = next(iter(members.values())).assign(ClusterMetadata(), joined)
        for url, member in members.items():
            member.on_assignment(assigned[url])

    assert all(member.tables_metadata().keys() == members.keys() for member in members.values())
    assert all(len(one.encode()) < 500 for one in joined.values())
    assert all(len(one.encode()) < 2_000 for one in assigned.values())


def test_faust_has_the_attributes_that_the_consumer_uses(consumer: Consumer) -> None:
    for name in (
        "_unacked_messages",
        "_committed_offset",
        "_read_offset",
        "_active_partitions",
        "_paused_partitions",
        "_waiting_for_ack",
        "flow_active",
    ):
        assert hasattr(consumer, name)


def test_every_commit_goes_through_force_commit() -> None:
    commit = _source(faust_consumer.Consumer.commit)

    assert "self.force_commit(" in commit
    assert "_commit(" not in commit.replace("force_commit(", "")


def test_faust_drops_its_offsets_before_it_commits_on_revocation() -> None:
    # The reason for replacing on_partitions_revoked. If this fails, Faust has fixed it: check whether ours is still needed.
    text = _source(faust_consumer.Consumer.on_partitions_revoked)

    assert _in_order(text, "self._acked.pop(", "self._on_partitions_revoked")


def test_revocation_stops_the_flow_before_it_waits_for_messages() -> None:
    text = _source(FaustApp._on_partitions_revoked)

    assert _in_order(text, "consumer.stop_flow", "self.flow_control.suspend", "self.flow_control.clear", "_consumer_wait_empty")


def test_tickets_are_restored_and_taken_over_before_positions_are_set_and_input_flows() -> None:
    text = _source(FaustRecovery.on_recovery_completed)

    assert _in_order(
        text, "table.on_recovery_completed(", "consumer.perform_seek()", "consumer.resume_flow()", "on_rebalance_end()"
    )
    assert _in_order(_source(Collection.on_recovery_completed), "self.data.on_recovery_completed", "call_recover_callbacks")


def test_after_a_refused_heartbeat_aiokafka_joins_the_group_again_and_faust_waits_for_the_take_over() -> None:
    # The reason why a take-over that the group refuses waits for the next one.
    assert _in_order(
        _source(GroupCoordinator._do_heartbeat),
        "self.generation, self.member_id",
        "return True",
        "IllegalGenerationError",
        "self.reset_generation()",
        "UnknownMemberIdError",
    )
    assert _in_order(
        _source(FaustRecovery.on_recovery_completed),
        "asyncio.wait(callback_coros)",
        "consumer_generation_id !=",
        "resume_flow()",
    )


def test_faust_catches_what_interrupts_a_recovery_and_continues_after_a_time_out() -> None:
    # The reason why our recovery checks the generation, the stop, and where the changelog ends.
    text = _source(FaustRecovery._restart_recovery.fun)
    interrupted = text[text.index("self.signal_recovery_end.wait()") : text.index("Done reading")]

    assert "except Exception as exc:" in interrupted
    assert "raise" not in interrupted
    assert _in_order(text[text.index("_build_highwaters") :], "timeout=self.app.conf.broker_request_timeout", "need_recovery()")
    assert "self._recovery = Recovery(" in _source(FaustTableManager.recovery.fget)


def test_recovery_starts_at_the_persisted_offset_of_the_store() -> None:
    assert "table.persisted_offset(tp)" in _source(FaustRecovery._add)
    assert "consumer.seek_wait(new_offsets)" in _source(FaustRecovery._seek_offsets)


def test_aiokafka_does_not_seek_a_partition_without_a_committed_offset() -> None:
    # The reason why perform_seek seeks to the beginning.
    assert "if offset and offset > 0:" in _source(AIOKafkaConsumer.seek_to_committed)


def test_aiokafka_treats_an_empty_set_of_partitions_as_all_partitions() -> None:
    # The reason why _getmany passes a copy, and never an empty one.
    assert "if partitions and tp not in partitions:" in _source(fetcher.Fetcher.fetched_records)


def test_a_position_moves_exactly_when_records_are_returned() -> None:
    assert "_update_position()" in _source(fetcher.FetchResult.getall)

    async def positions() -> list[object]:
        state = TopicPartitionState(None)
        before = state.has_valid_position
        state.seek(7)
        return [before, state.has_valid_position, state.position]

    assert asyncio.run(positions()) == [False, True, 7]


def test_the_wait_of_a_fetch_can_be_set_until_the_consumer_starts() -> None:
    assert "self._fetch_max_wait_ms = fetch_max_wait_ms" in _source(AIOKafkaConsumer.__init__)
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in _source(AIOKafkaConsumer.start)


def _builder() -> BatchBuilder:
    return BatchBuilder(1_000, 0)


def test_the_builder_of_a_batch_accepts_headers_and_returns_none_when_it_is_full() -> None:
    builder = _builder()._builder

    assert builder.append(0, 1, b"k", b"v", [("ce_id", b"1")]) is not None
    assert builder.append(1, 1, b"k", b"v" * 1_000, []) is None


def test_the_first_record_of_a_batch_may_be_larger_than_the_batch() -> None:
    # The reason why submit does not check the result for the first record.
    assert _builder()._builder.append(0, 1, b"k", b"v" * 10_000, []) is not None


def test_submitted_batches_have_the_bytes_of_those_to_which_records_are_appended(monkeypatch: pytest.MonkeyPatch) -> None:
    random, now = Random(3), 1_767_603_600_123
    records = [
        Record(b"k%d" % number, random.choice((None, b"", b"v" * random.choice((3, 300, 3_000)))), [("ce_id", b"%d" % number)])
        for number in range(200)
    ]
    usual = [_builder()]
    for record in records:
        one = {"timestamp": now, "key": record.key, "value": record.value, "headers": record.headers}
        if usual[-1].append(**one) is None:
            usual.append(_builder())
            usual[-1].append(**one)
    sent: list[BatchBuilder] = []

    class Sends:
        def create_batch(self) -> BatchBuilder:
            return _builder()

        async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> None:
            assert batch.closed()
            sent.append(batch)

    monkeypatch.setattr("stream.runtime.kafka.transport.time.time_ns", lambda: now * 1_000_000)
    deliveries = asyncio.run(transport.submit(Sends(), "t", 0, records))

    assert len(sent) > 20
    assert [count for _, count in deliveries] == [batch.record_count() for batch in sent] == [b.record_count() for b in usual]
    assert [bytes(batch._build()) for batch in sent] == [bytes(batch._build()) for batch in usual]


def test_the_producer_is_idempotent_and_waits_for_all_replicas(app: App) -> None:
    assert app.producer._settings_extra() == {"acks": "all", "enable_idempotence": True}
    assert "**self._settings_extra()" in _source(driver.Producer._new_producer)


# Our own offsets, without a broker.


def test_finished_batches_may_be_committed_in_order(consumer: Consumer) -> None:
    tp = TP("ticket-events", 0)

    consumer.finish(tp, Batch([], None, 10))
    consumer.finish(tp, Batch([], 10, 25))

    assert consumer._positions.finished == {tp: 25}


def test_finishing_a_batch_after_a_gap_raises_an_error(consumer: Consumer) -> None:
    tp = TP("ticket-events", 0)
    consumer.finish(tp, Batch([], None, 10))

    with pytest.raises(RuntimeError, match="finished up to 10"):
        consumer.finish(tp, Batch([], 25, 30))


def test_an_acknowledged_message_is_not_committed(consumer: Consumer) -> None:
    tp = TP("ticket-events", 0)
    message = consumer._message(tp, consumer._positions.deliver(tp, (), 10))
    consumer._unacked_messages.add(message)

    assert message.ack(consumer)
    assert not consumer.unacked
    assert consumer._positions.finished == {}


class _Record:
    """The attributes of a changelog record that the store reads."""

    def __init__(self, offset: int, key: bytes | None, value: bytes | None, epoch: int | None = None) -> None:
        self.offset, self.key, self.value = offset, key, value
        self.headers = () if epoch is None else (("epoch", b"%d" % epoch),)


_ANY = {
    "topic": "tickets",
    "partition": 0,
    "timestamp": 0,
    "timestamp_type": 0,
    "checksum": None,
    "serialized_key_size": 1,
    "serialized_value_size": 1,
}
"""What a record has and a store does not read."""


def test_the_store_takes_the_changelog_in_order_and_ignores_old_records(app: App) -> None:
    store = app.store

    store.restore(0, [_Record(0, b"a", b"1"), _Record(1, b"b", b"1"), _Record(2, b"a", b"2"), _Record(3, b"b", None)])
    store.restore(0, [_Record(2, b"a", b"old"), _Record(4, None, b"?"), _Record(5, b"c", b"\xff")])

    assert dict(store.of(0).items()) == {b"a": b"2", b"c": b"\xff"}
    assert store.persisted_offset(TP("any", 0)) == 5
    assert store.persisted_offset(TP("any", 1)) is None


def test_records_of_a_replaced_worker_do_not_overwrite_newer_ones(app: App) -> None:
    store = app.store

    store.restore(0, [_Record(0, b"a", b"old"), _Record(1, b"b", b"old", 1), _Record(2, b"a", b"new", 2)])
    store.restore(0, [_Record(3, b"a", b"old", 1), _Record(4, b"b", None, 1), _Record(5, b"c", b"only one", 1)])

    assert dict(store.of(0).items()) == {b"a": b"new", b"b": b"old", b"c": b"only one"}
    assert store.outdated(0) == {b"a", b"b"}
    assert store.epoch(0) == 2
    assert store.persisted_offset(TP("any", 0)) == 5

    store.restore(0, [_Record(6, b"a", b"newest", 2), _Record(7, CHECKPOINT_KEY, b"{}", 3)])
    assert store.outdated(0) == {b"b"}
    assert store.of(0)[b"a"] == b"newest"
    assert (store.checkpoint(0), store.epoch(0)) == (b"{}", 3)


def test_the_changelog_is_fetched_during_a_recovery_only(app: App, consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    changelog, asked = TP(app.topic_names.changelog, 0), []
    app.tables._changelogs[changelog.topic] = app.table

    async def fetch(_: Consumer, active: set[TP], timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109  as in Faust
        asked.append(active)
        return {}

    monkeypatch.setattr(driver.Consumer, "_getmany", fetch)
    for change in (app.tables.recovery._set_recovery_started, app.tables.recovery._set_recovery_ended):
        change()
        asyncio.run(consumer._getmany({changelog}, 0.0))

    assert asked == [{changelog}]


def test_changelog_records_are_restored_during_a_recovery_and_dropped_after_it(app: App, consumer: Consumer) -> None:
    tp = TP(app.topic_names.changelog, 0)
    app.tables.recovery.active_tps.add(tp)

    def fetch(*records: _Record) -> int:
        fetched = {tp: [SimpleNamespace(**vars(record), **_ANY) for record in records]}
        return len(list(consumer._restored_changelog(fetched)))

    app.tables._changelogs[tp.topic] = app.table
    app.tables.recovery._set_recovery_started()
    assert fetch(_Record(0, b"a", b"1"), _Record(1, b"b", b"1")) == 1
    app.tables.recovery._set_recovery_ended()
    assert fetch(_Record(2, b"a", b"2")) == 0

    assert dict(app.store.of(0).items()) == {b"a": b"1", b"b": b"1"}
    assert app.store.reached(0) == 1


def test_the_store_drops_lost_partitions_and_only_those(app: App) -> None:
    store, changelog = app.store, app.topic_names.changelog
    store.restore(0, [_Record(0, b"a", b"1")])
    store.restore(1, [_Record(0, b"b", b"1")])
    mine = store.of(1)
    store.taken_over(1)

    asyncio.run(store.on_rebalance(set(), {TP(changelog, 0), TP("ticket-events", 1)}, set()))

    assert not store.of(0)
    assert store.persisted_offset(TP(changelog, 0)) is None
    assert store.of(1) is mine
    assert not store.is_renewed(1, mine)


def test_tickets_that_the_changelog_changed_count_as_renewed(app: App) -> None:
    store = app.store
    store.restore(0, [_Record(0, b"a", b"1")])
    mine = store.of(0)
    store.taken_over(0)
    store.restore(0, [_Record(0, b"a", b"1")])
    assert not store.is_renewed(0, mine)

    store.restore(0, [_Record(1, b"a", b"2")])
    assert store.is_renewed(0, mine)


def test_a_partition_whose_owner_in_between_has_written_no_ticket_counts_as_renewed(app: App) -> None:
    """It has read input, perhaps of ticks alone: whoever kept the tickets would take that input for lost."""
    store = app.store
    store.restore(0, [_Record(0, b"a", b"1", 1), _Record(1, CHECKPOINT_KEY, b"of epoch 1", 1)])
    mine = store.of(0)
    store.taken_over(0)
    store.begin_epoch(0, 2)
    store.restore(0, [_Record(2, CHECKPOINT_KEY, b"of a replaced worker", 1)])
    assert not store.is_renewed(0, mine)

    store.restore(0, [_Record(3, CHECKPOINT_KEY, b"of epoch 3", 3)])
    assert store.is_renewed(0, mine)


def test_no_metadata_request_creates_the_topic_that_it_asks_for() -> None:
    for module in (aiokafka.client, aiokafka.admin.client):
        request = module.MetadataRequest(["ticket-events"]).build(MetadataRequest_v5)

        assert request.allow_auto_topic_creation is False
