"""Sending to receivers that accept, fail, hang and die: real servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from stream.notify.apprise_sender import AppriseError, AppriseSender, service_of
from stream.notify.decision import Sent
from stream.notify.delivery import Delivery, Failure, Outgoing
from stream.notify.memory import Memory
from stream.notify.message import Status, Writer
from stream.notify.notify_metrics import NotifyMetrics
from stream.notify.rules import Destination, Storm
from stream.notify.send_queue import Entry, Position, SendQueue
from stream.notify.webhook import SUMMARY, SecretFormError, WebhookSender, key_of
from stream.sla.effects import Effect, Kind, Reason
from stream.wire.effect import encode_effect
from tests.effects import effect_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

SECOND = 1_000_000
KEY, OLD_KEY = b"k" * 24, b"o" * 24
WRITER = Writer(None, "")


def breach(number: int = 1, **parts: Any) -> Effect:
    return effect_of(Kind.BREACHED, **({"id": f"{number:024x}", "ticket": f"desk/{number}", "commitment": "reply"} | parts))


def outgoing(*effects: Effect, status: Status = Status.NEWS) -> list[Outgoing]:
    return [Outgoing(WRITER.message(effect, status), encode_effect(effect)) for effect in effects]


class Receiver:
    """Answers with the statuses that a test gives, the last one for ever."""

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None, delay: float = 0) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self._statuses = list(statuses or (204,))
        self._headers = headers or {}
        self._delay = delay

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        await asyncio.sleep(self._delay)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return web.Response(status=status, headers=self._headers)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening).start()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        try:
            yield self
        finally:
            await runner.cleanup()


def post(receiver: Receiver, messages: Sequence[Outgoing], time_limit: float = 5.0) -> Failure | None:
    async def run() -> Failure | None:
        async with receiver.serving():
            sender = WebhookSender(receiver.url, [KEY, OLD_KEY], time_limit)
            try:
                return await sender.send(messages)
            finally:
                await sender.close()

    return asyncio.run(run())


def test_a_webhook_is_signed_with_every_secret_and_has_the_id_of_the_effect() -> None:
    receiver, effect = Receiver(), breach(fields={"customer": "acme"})

    assert post(receiver, outgoing(effect)) is None

    ((headers, body),) = receiver.requests
    content = f"{effect.id}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-id"] == effect.id
    assert headers["webhook-signature"].split() == [
        f"v1,{base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()}" for key in (KEY, OLD_KEY)
    ]
    sent = json.loads(body)
    assert sent["type"] == "commitment.breached"
    assert sent["data"]["effect"] == json.loads(encode_effect(effect))
    assert sent["data"]["status"] == "news"


def test_a_summary_has_the_id_of_every_effect_and_an_id_of_its_own() -> None:
    receiver = Receiver()

    assert post(receiver, outgoing(breach(1), breach(2))) is None

    ((headers, body),) = receiver.requests
    sent = json.loads(body)
    assert sent["type"] == SUMMARY
    assert [each["id"] for each in sent["data"]["messages"]] == [breach(1).id, breach(2).id]
    assert headers["webhook-id"] not in (breach(1).id, breach(2).id)


@pytest.mark.parametrize(
    ("status", "refused"), [(503, False), (500, False), (401, False), (404, False), (302, False), (413, True), (410, True)]
)
def test_an_answer_that_is_no_acceptance_is_a_failure(status: int, refused: bool) -> None:
    failure = post(Receiver(status, headers={"Location": "/elsewhere"}), outgoing(breach()))

    assert failure == Failure(f"HTTP {status}", refused=refused)


def test_a_receiver_may_ask_for_a_pause() -> None:
    failure = post(Receiver(429, headers={"Retry-After": "120"}), outgoing(breach()))

    assert failure is not None
    assert failure.retry_after == 120


def test_a_receiver_that_hangs_or_is_not_there_is_a_failure_without_its_address() -> None:
    hanging = post(Receiver(delay=5), outgoing(breach()), time_limit=0.2)

    async def nobody() -> Failure | None:
        sender = WebhookSender("http://127.0.0.1:1/secret-path", [KEY])
        try:
            return await sender.send(outgoing(breach()))
        finally:
            await sender.close()

    gone = asyncio.run(nobody())

    assert hanging == Failure("no answer within 0.2 s")
    assert gone is not None
    assert "secret-path" not in gone.reason


def test_a_secret_is_base64_after_its_prefix_and_has_a_length() -> None:
    assert key_of(b"whsec_" + base64.b64encode(KEY)) == KEY
    assert key_of(b"a plain text of some length") == b"a plain text of some length"
    for wrong in (b"short", b"whsec_!", b"whsec_c2hvcnQ="):
        with pytest.raises(SecretFormError):
            key_of(wrong)


def apprise(receiver: Receiver, messages: Sequence[Outgoing], *times: float) -> list[Failure | None]:
    """Send as often as there are limits of time."""

    async def run() -> list[Failure | None]:
        async with receiver.serving():
            sender = AppriseSender(receiver.url.replace("http://", "json://") + "?rto=2")
            answers = []
            for limit in times:
                sender._time_limit = limit  # type: ignore[misc]
                answers.append(await sender.send(messages))
            return answers

    return asyncio.run(run())


def test_apprise_sends_the_title_and_the_text() -> None:
    receiver = Receiver(200)

    assert apprise(receiver, outgoing(breach()), 5.0) == [None]

    ((_, body),) = receiver.requests
    sent = json.loads(body)
    assert sent["title"] == "desk/1: reply breached"
    assert "Ticket: desk/1" in sent["message"]
    assert sent["type"] == "warning"


def test_apprise_sends_a_summary_as_one_message() -> None:
    receiver = Receiver(200)

    assert apprise(receiver, outgoing(breach(1), breach(2)), 5.0) == [None]

    ((_, body),) = receiver.requests
    assert json.loads(body)["title"] == "2 SLA messages"


def test_what_a_service_does_not_accept_is_a_failure_with_its_reason() -> None:
    (failure,) = apprise(Receiver(500), outgoing(breach()), 5.0)

    assert failure is not None
    assert "500" in failure.reason


def test_a_service_that_hangs_counts_as_failed_and_takes_a_bounded_number_of_threads() -> None:
    receiver = Receiver(delay=1.5)

    answers = apprise(receiver, outgoing(breach()), 0.1, 0.1, 0.1, 0.1)

    assert [answer.reason for answer in answers if answer] == [
        *["no answer within 0.1 s"] * 3,
        "3 attempts hang: the service does not answer",
    ]
    assert len(receiver.requests) <= 3


def test_a_url_that_apprise_does_not_understand_is_an_error_without_the_url(capfd: pytest.CaptureFixture[str]) -> None:
    for url in ("slack://only-one-secret", "slack://onesecret/another-secret/third-secret", "msteams://a-secret"):
        with pytest.raises(AppriseError) as error:
            service_of(url)

        assert url.partition("://")[0] in str(error.value)
        assert "secret" not in str(error.value)
    assert "secret" not in "".join(capfd.readouterr())


def test_the_reason_of_a_failure_has_no_part_of_the_url() -> None:
    sender = AppriseSender("json://user:some%2Fsecret@127.0.0.1:1/token-of-somebody")

    assert sender._without_secrets("cannot post to some/secret or some%2Fsecret as token-of-somebody\n") == (
        "cannot post to ... or ... as ...\\n"
    )


class Scripted:
    """A sender that answers as a test sets it."""

    def __init__(self, *answers: Failure | None) -> None:
        self.sent: list[list[str]] = []
        self._answers = list(answers)

    async def send(self, outgoing: Sequence[Outgoing]) -> Failure | None:
        answer = self._answers.pop(0) if self._answers else None
        if answer is None:
            self.sent.append([each.message.id for each in outgoing])
        return answer

    async def close(self) -> None:
        pass


class Lane:
    """A delivery with its queue, and a clock that a test sets."""

    def __init__(self, *answers: Failure | None, storm: Storm | None = None, give_up_after: int = 3_600 * SECOND) -> None:
        self.now = 0
        self.memory = Memory()
        self.recorded: list[str] = []
        self.sender = Scripted(*answers)
        self.metrics = NotifyMetrics(["to"], [], self.memory.__len__)
        self.queue = SendQueue(lambda effect_id: self.memory.get("to", effect_id), WRITER.digest)
        destination = Destination("to", storm=storm, give_up_after=give_up_after)
        self.delivery = Delivery(destination, WRITER, self.queue, self.memory, self, self.sender)
        self.delivery.metrics = self.metrics.of["to"]
        self._offset = 0

    async def record(self, destination: str, sent: Sequence[tuple[str, Sent]]) -> None:
        assert self.memory.get(destination, sent[0][0]) is not None, "known before it is durable"
        self.recorded += [effect_id for effect_id, _ in sent]

    def take(self, *effects: Effect) -> None:
        for effect in effects:
            self.queue.take(Entry(effect, encode_effect(effect), Position(("t", 0), self._offset), self.now, True))
            self._offset += 1

    def step(self) -> int:
        """Send what is due; how many messages that were."""
        count, _ = self.delivery.next(self.now)
        if count:
            asyncio.run(self.delivery.send(count, lambda: self.now))
        return count

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"destination": "to", **labels})


def test_what_is_accepted_is_remembered_and_finished() -> None:
    lane = Lane()
    lane.take(breach(1), breach(2))

    assert (lane.step(), lane.step(), lane.step()) == (1, 1, 0)
    assert lane.sender.sent == [[breach(1).id], [breach(2).id]]
    assert lane.recorded == [breach(1).id, breach(2).id]
    assert lane.queue.finished() == {("t", 0): 2}
    assert lane.value("sla_notify_messages_total", status="news") == 2


def test_what_fails_is_tried_again_after_growing_pauses_and_finished_only_then() -> None:
    lane = Lane(*[Failure("down")] * 10)
    lane.take(breach(1))
    pauses = []
    while not lane.sender.sent:
        before = lane.now
        while not lane.step():
            lane.now += SECOND // 10
        pauses.append((lane.now - before) / SECOND)
        assert lane.sender.sent or lane.queue.finished() == {("t", 0): 0}

    assert pauses[0] == 0
    assert pauses[1:6] == pytest.approx([1, 2, 4, 8, 16], rel=0.25)
    assert max(pauses) <= 361
    assert lane.delivery.failing_since is None
    assert lane.value("sla_notify_failures_total") == 10


def test_a_pause_that_the_receiver_asks_for_is_kept() -> None:
    lane = Lane(Failure("HTTP 429", retry_after=120))
    lane.take(breach(1))
    lane.step()

    assert lane.delivery.next(119 * SECOND) == (0, 120 * SECOND)
    assert lane.delivery.next(120 * SECOND)[0] == 1


def test_what_is_not_accepted_for_too_long_is_given_up_and_counted() -> None:
    lane = Lane(*[Failure("down")] * 4, give_up_after=30 * SECOND)
    lane.take(breach(1))
    lane.step()
    lane.now = 60 * SECOND
    lane.take(breach(2))
    lane.step()
    assert lane.value("sla_notify_given_up_total") == 1

    lane.now = 80 * SECOND
    lane.step()
    assert lane.value("sla_notify_given_up_total") == 1, "the second waits for a shorter time"
    lane.now = 120 * SECOND
    lane.step()
    assert lane.value("sla_notify_given_up_total") == 2
    assert lane.recorded == []


def test_the_time_before_the_first_attempt_does_not_count() -> None:
    lane = Lane(Failure("down"), give_up_after=2 * SECOND)
    lane.take(breach(1))
    lane.now = 60 * SECOND  # quiet hours
    lane.step()
    lane.now = 62 * SECOND

    assert lane.step() == 1
    assert lane.sender.sent == [[breach(1).id]]


def test_what_a_receiver_refuses_for_its_content_does_not_hold_up_the_rest() -> None:
    lane = Lane(*[Failure("HTTP 413", refused=True)] * 8, give_up_after=100_000 * SECOND)
    lane.take(breach(1), breach(2))
    for _ in range(9):
        lane.now += 1_000 * SECOND
        lane.step()

    assert lane.sender.sent == [[breach(2).id]]
    assert lane.value("sla_notify_given_up_total") == 1


def test_after_an_outage_what_waits_comes_as_one_summary() -> None:
    lane = Lane(Failure("down"), storm=Storm(3, 60 * SECOND))
    lane.take(breach(1))
    lane.step()
    lane.take(*map(breach, range(2, 9)))
    lane.now = 10 * SECOND

    assert lane.step() == 8
    assert lane.sender.sent == [[breach(number).id for number in range(1, 9)]]
    assert lane.value("sla_notify_messages_total", status="news") == 8


def test_a_withdrawal_is_remembered_so_that_it_is_not_repeated() -> None:
    lane = Lane()
    lane.take(breach(1))
    lane.step()
    for number in (8, 9):
        lane.take(effect_of(Kind.BREACH_RETRACTED, id=f"{number:024x}", retracts=breach(1).id, reason=Reason.CORRECTED))
        lane.step()

    assert lane.sender.sent == [[breach(1).id], [f"{8:024x}"]]
    assert lane.memory.get("to", breach(1).id) == Sent(WRITER.digest(breach(1)), withdrawn=True)


def test_what_is_stated_again_without_a_visible_change_is_remembered_and_not_sent() -> None:
    lane = Lane()
    lane.take(breach(1))
    lane.step()
    lane.take(breach(1, id=f"{1:024x}.1", late=True))
    lane.step()

    assert lane.sender.sent == [[breach(1).id]]
    assert lane.recorded == [breach(1).id, f"{1:024x}.1"]
    assert lane.queue.finished() == {("t", 0): 2}
    assert lane.value("sla_notify_skipped_total", reason="unchanged") == 1


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = Memory(most=2)
    for name in ("a", "b", "c"):
        memory.put("to", name, Sent(""))

    assert len(memory) == 2
    assert memory.get("to", "a") is None
    assert memory.get("to", "c") == Sent("")


def test_what_was_withdrawn_stays_so_if_its_first_record_is_read_later() -> None:
    memory = Memory()
    memory.put("to", "a", Sent("x", withdrawn=True))
    memory.put_record("to/a", Sent("x"))

    assert memory.get("to", "a") == Sent("x", withdrawn=True)
