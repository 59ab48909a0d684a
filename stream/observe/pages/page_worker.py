"""The first page: the partitions of this worker, the next deadlines, the deployments, and the other workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe.pages.html import Html, document, row, table, tag
from stream.observe.pages.lists import TITLES
from stream.observe.pages.pages_json import ticket_address
from stream.observe.pages.phrasing import left, when
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.observe.pages.views import AtRisk, DeploymentView, FeedView, PartitionView, WorkerView

_AT_RISK: Final = ("Time left", "Due", "Ticket", "Commitment", "Policy", "Priority", "Team", "State")
_PARTITIONS: Final = ("Partition", "State", "Tickets", "Open commitments", "Next due", "Feed seen up to")
_FEEDS: Final = ("Source", "Feed", "Newest event", "Complete up to", "Tickets that wait for it")
_DEPLOYMENTS: Final = ("Deployment", "In force from", "Kind", "By", "Note", "Policies", "Tickets")
_WORKERS: Final = ("Worker", "Partitions")
_SOON: Final = 15 * 60 * 1_000_000
_UTC: Final = "UTC"


def masthead(lists: Iterable[str] = TITLES) -> Html:
    """Return the links at the top of every page. ``lists``: the names of the lists that the server has."""
    links = [tag("a", name.replace("-", " "), href=f"lists/{name}") for name in lists]
    return tag("nav", tag("a", "breachwatch", href="./"), *links)


def clock(instant: int, zone: str) -> Html:
    """Return an instant as text in whole seconds, with its exact form for programs."""
    return tag("time", when(instant - instant % 1_000_000, zone), datetime=format_instant(instant))


def render(view: WorkerView) -> bytes:
    """Return the page as HTML."""
    whole = view.at - view.at % 1_000_000
    return document(
        "Worker",
        masthead(),
        tag("h1", "Worker"),
        tag("p", view.url, " as of ", clock(whole, _UTC)),
        tag("p", tag("span", view.status, class_="good" if view.ready else "warn")),
        _search(),
        tag("h2", "Next deadlines"),
        *_at_risk(view),
        *((tag("h2", "Feeds"), table(_FEEDS, map(_feed, view.feeds))) if view.feeds else ()),
        tag("h2", "Partitions of this worker"),
        table(_PARTITIONS, map(_partition, view.partitions)) if view.partitions else tag("p", "None."),
        *(_deployments(view) if view.deployments else ()),
        tag("h2", "All workers"),
        table(_WORKERS, (_worker(other.url, other.partitions, view.url) for other in view.neighbours))
        if view.neighbours
        else tag("p", "No worker is known yet."),
    )


def _search() -> Html:
    field = tag("input", name="id", placeholder="desk/42", required=True, aria_label="Ticket")
    return tag("form", tag("span", "Ticket"), field, tag("button", "Show"), action="tickets", method="get")


def _at_risk(view: WorkerView) -> list[Html]:
    found = []
    if view.at_risk:
        found.append(table(_AT_RISK, map(_risk, view.at_risk)))
    elif view.at_risk_until is None:
        found.append(tag("p", "No commitment is running in the partitions of this worker."))
    if view.at_risk_until is not None:
        until = clock(view.at_risk_until, _UTC)
        found.append(tag("p", "Deadlines from ", until, " on are not listed: too many timers come before them.", class_="dim"))
    return found


def _risk(risk: AtRisk) -> Html:
    class_ = "whole bad" if risk.left < 0 else "whole warn" if risk.left < _SOON else "whole"
    cells = (
        tag("span", left(risk.left), class_=class_),
        clock(risk.due_at, risk.timezone),
        tag("a", risk.ticket, href=ticket_address(risk.ticket)[1:]),
        risk.commitment,
        risk.policy,
        risk.priority,
        risk.team,
        risk.state,
    )
    return row(_AT_RISK, cells)


def _partition(partition: PartitionView) -> Html:
    state = ("live", "good") if partition.live else ("catching up", "warn")
    cells = (
        str(partition.number),
        tag("span", state[0], class_=state[1]),
        f"{partition.tickets:,}",
        f"{partition.open_commitments:,}",
        "" if partition.next_at is None else clock(partition.next_at, _UTC),
        "" if partition.watermark is None else clock(partition.watermark, _UTC),
    )
    return row(_PARTITIONS, cells)


def _feed(feed: FeedView) -> Html:
    word = feed.state or "not stated"
    if feed.stale:
        state = tag("span", f"{word}: breaches are provisional", class_="bad")
    else:
        state = tag("span", word, class_={"complete": "good", "": "dim"}.get(feed.state, "warn"))
    cells = (
        feed.source,
        state,
        "" if feed.received is None else clock(feed.received, _UTC),
        "" if feed.complete is None else clock(feed.complete, _UTC),
        f"{feed.waiting:,}" if feed.waiting else "",
    )
    return row(_FEEDS, cells)


def _deployments(view: WorkerView) -> list[Html]:
    found = [tag("h2", "Deployments")]
    if view.files_differ:
        text = "The policy files of this worker differ from the newest deployment. The deployment is in force."
        found.append(tag("p", text, class_="warn"))
    found.append(table(_DEPLOYMENTS, map(_deployment, view.deployments)))
    return found + [_changes(deployment) for deployment in view.deployments]


def _deployment(deployment: DeploymentView) -> Html:
    if deployment.replaced:
        tickets = tag("span", "replaced", class_="dim")
    elif deployment.remaining:
        tickets = tag("span", f"{deployment.remaining:,} to be woken", class_="warn")
    else:
        tickets = tag("span", "all have met it", class_="good")
    cells = (
        str(deployment.number),
        "all time" if deployment.since is None else clock(deployment.since, _UTC),
        deployment.kind,
        deployment.by,
        deployment.note,
        deployment.fingerprint,
        tickets,
    )
    return row(_DEPLOYMENTS, cells)


def _changes(deployment: DeploymentView) -> Html:
    lines = tag("pre", "\n".join(deployment.changes))
    return tag("details", tag("summary", f"What deployment {deployment.number} changed"), lines)


def _worker(url: str, partitions: tuple[int, ...], own: str) -> Html:
    name = tag("span", f"{url} (this one)") if url == own else tag("a", url, href=f"{url}/")
    return row(_WORKERS, (name, ", ".join(map(str, partitions)) or "none"))
