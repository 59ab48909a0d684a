"""What must hold of a ticket whatever is deployed: checked after each step of a scenario played in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.codec import codec
from stream.sla.effects import TIMER, Effect, Kind, Reason
from stream.sla.engine import Engine
from stream.sla.explain.explain import explain, explain_state
from stream.sla.explain.explanation import Outcome as Shown
from stream.sla.policy.conditions import NO_EVENT, compile_condition
from stream.sla.step import Outcome, Step
from stream.sla.ticket.commitment_state import CommitmentState, Verdict
from stream.sla.ticket.listing import UNMATCHED, lists_of
from stream.sla.ticket.state import is_deleted, open_commitments
from tests.properties.edits import Deployed, log

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.explain.explanation import Explanation
    from stream.sla.policy.timeline import Deployments
    from stream.sla.ticket.state import State

_DONE = {Kind.MET: "met", Kind.MEASURED: "met", Kind.MET_LATE: "late", Kind.CANCELLED: "cancelled"}
_MAY = {
    Kind.STARTED: {"", "met", "late", "cancelled", "breached", "elapsed"},
    Kind.WARNED: {"open"},
    Kind.PAUSED: {"open"},
    Kind.RESUMED: {"open", "met"},
    Kind.RETARGETED: {"open", "met"},
    Kind.MET: {"open"},
    Kind.MEASURED: {"open"},
    Kind.CANCELLED: {"open"},
    Kind.BREACHED: {"open"},
    Kind.ELAPSED: {"open"},
    Kind.MET_LATE: {"breached", "late"},
}


class Chains:
    """Of each commitment: from its start to its end, by the effects alone."""

    def __init__(self) -> None:
        self.state: dict[str, str] = {}

    def take(self, effect: Effect, renamed: set[tuple[str, str]], timers: set[str]) -> None:
        kind, name = effect.kind, effect.commitment
        if kind not in _MAY or effect.ladder:
            return
        now = self.state.get(name, "")
        if kind is not Kind.STARTED and now not in _MAY[kind]:  # it has another name by now
            olds = [old for old, new in renamed if new == name and self.state.get(old) in _MAY[kind]]
            now = self.state.pop(olds[0]) if olds else now
        if effect.reason is Reason.RESTORED:
            assert now in ("cancelled", "coming back"), f"restored after {now!r}: {effect}"
            self.state[name] = "open"
            return
        if kind is Kind.RETARGETED and now == "cancelled":  # the terms changed meanwhile: only a restored one may be retargeted
            self.state[name] = "coming back"
            return
        may = _MAY[kind] | ({"open"} if kind is Kind.STARTED and name in timers else set())
        assert now in may, f"{kind} after {now!r}: {effect}"
        self.state[name] = _DONE.get(kind, "breached" if kind in (Kind.BREACHED, Kind.ELAPSED) else "open")


def play(one: Deployed, *, check: bool = True, history: int = 200) -> tuple[Engine, State, list[Effect]]:
    """The scenario in the order of time, every deployment known from the beginning. Raises AssertionError."""
    engine = Engine(log(one), history=history)
    state: State | None = None
    emitted: list[Effect] = []
    chains = Chains()
    for event in sorted(one.events, key=lambda event: event.key):
        step = engine.apply(state, "T", event, event.at)
        assert step.outcome in (Outcome.APPLIED, Outcome.DUPLICATE)
        _check(engine.deployments, step, chains)
        state = step.state
        emitted += step.effects
    assert state is not None
    step = engine.wake(state, one.until)
    _check(engine.deployments, step, chains)
    emitted += step.effects
    state = step.state
    if check:
        open_ = {
            name for name, commitment_state in state.head.commitments.items() if commitment_state.verdict == Verdict.PENDING
        }
        assert {name for name, found in chains.state.items() if found == "open"} == open_
        agree(engine.deployments, state, one.events, one.until)
    return engine, state, emitted


def _check(deployments: Deployments, step: Step, chains: Chains) -> None:
    codec_agrees(step.state)
    head = step.state.head
    shown = [(name, value) for name, value in head.fields.items() if value and not name.startswith("@")]
    assert head.shown is None or list(head.shown.items()) == shown, "effects would show other fields than the ticket has"
    timers = {
        name
        for deployment in deployments.known.values()
        for policy in deployment.policies.policies
        for name in [commitment.name for commitment in policy.commitments if commitment.metric.timer]
    }
    changes = [deployment.change for deployment in deployments.known.values() if deployment.change is not None]
    renamed = {(old, new) for change in changes for (_, old), new in change.commitments.items()}
    newest = -(1 << 62)
    for effect in step.effects:
        assert not effect.retracts, f"taken back although nothing came late: {effect}"
        assert effect.at >= newest, f"not in the order of time: {effect}"
        newest = effect.at
        if effect.deployment is not None:
            assert effect.at == deployments.known[effect.deployment].at, f"not at its deployment: {effect}"
        if effect.kind is Kind.MET_LATE and effect.target is not None:
            assert effect.elapsed >= effect.target, f"late, with less than its target: {effect}"
        if effect.kind is Kind.MET and effect.target is not None and effect.due_at is not None:
            assert effect.due_at >= effect.at, f"met after its deadline: {effect}"
        if effect.kind is Kind.BREACHED:
            assert effect.due_at is not None
            assert effect.due_at <= effect.at, f"an early breach: {effect}"
            if effect.due_at < effect.at:
                assert effect.reason is Reason.RETARGETED_PAST_DUE
            if effect.cause == TIMER or effect.deployment is not None:
                _not_solved(deployments, effect, step.state)
        chains.take(effect, renamed, timers)


def _not_solved(deployments: Deployments, effect: Effect, state: State) -> None:
    commitment_state = state.head.commitments.get(effect.commitment)
    if commitment_state is None:
        return
    triggers = deployments.timeline.in_force(effect.at).policies.triggers.get(commitment_state.terms.metric)
    if triggers is not None and commitment_state.cycle == effect.cycle:
        assert not compile_condition(triggers.metric.stops).holds(NO_EVENT, dict(effect.fields)), (
            f"a breach of what is fulfilled: {effect}"
        )


def codec_agrees(state: State) -> None:
    data = codec.encode(state)
    assert codec.decode(data) == state
    assert codec.encode(codec.decode(data)) == data
    assert codec.peek(data) == (
        state.wake_at,
        state.ended,
        open_commitments(state),
        lists_of(state) == UNMATCHED,
        is_deleted(state),
    )


def agree(deployments: Deployments, state: State, events: list[Event], until: int) -> None:
    """State and explanations show the same open commitments, with the same verdicts and deadlines."""
    shown = explain(deployments, "T", events, until)
    kept = explain_state(deployments, state, until)
    listed = {one.commitment: one for one in open_commitments(state)}
    for explanation in (shown, kept):
        for name in listed:
            _same(explanation, name, state.head.commitments[name])
        waiting = {
            deadline.commitment
            for deadline in explanation.deadlines
            if not deadline.ladder and deadline.verdict is Shown.PENDING and deadline.target is not None
        }
        assert waiting <= listed.keys(), f"explained as pending, and not listed: {waiting - listed.keys()}"


def _same(explanation: Explanation, name: str, commitment_state: CommitmentState) -> None:
    found = [deadline for deadline in explanation.deadlines if not deadline.ladder and deadline.commitment == name]
    found = [deadline for deadline in found if deadline.verdict in (Shown.PENDING, Shown.BREACHED, Shown.ELAPSED)]
    found = [deadline for deadline in found if deadline.ended is None or deadline.verdict is not Shown.PENDING]
    # A row's name may be one that was not written; of the same cycle on two rows the state's own is meant.
    found = [one for one in found if one.cycle == commitment_state.cycle]
    found = [one for one in found if one.metric == commitment_state.terms.metric] or found
    assert len(found) == 1, f"{name} {commitment_state.parts()} is explained {len(found)} times"
    wanted = (Shown.BREACHED, Shown.ELAPSED) if commitment_state.verdict == Verdict.BREACHED else (Shown.PENDING,)
    assert found[0].verdict in wanted, f"{name}: {found[0].verdict}, not {wanted}"
    assert found[0].due == commitment_state.due, f"{name}: due {found[0].due}, not {commitment_state.due}"
