"""The options of ``breachwatch deploy``: whether they go together, and the record that follows from them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from stream.deployments.log import NothingToUndoError
from stream.deployments.proposal import LEAD, Author, Proposal, deploy, rejudge, undo
from stream.deployments.record import DeploymentKind, RecordError, encode_record
from stream.deployments.snapshot import SnapshotError
from stream.runtime.settings import ClockMode
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from stream.deployments.log import Log
    from stream.runtime.kafka.policy_log import ReadLog
    from stream.sla.policy.resolve import PolicySet

_SKEW: Final = 60_000_000
"""Microseconds by which the clocks of two deployers may differ before it is worth a warning."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The values of the options."""

    files: tuple[str, ...]
    withdraw_all: bool
    undo: bool
    rejudge_from: int | None
    at: int | None
    author: Author

    def check(self, clock: str, *, alone: int, counts_twice: bool) -> None:
        """``alone``: how many options there are that stand alone. Raises click.UsageError."""
        if counts_twice:
            raise click.UsageError("--ask counts the tickets of workers, --against those of a file: give one of them")
        given = bool(self.files) + self.withdraw_all + self.undo
        if alone:
            if given or alone > 1:
                raise click.UsageError("--export, --import and --list stand alone: leave out FILES, --withdraw-all and --undo")
            return
        if given != 1:
            raise click.UsageError("give the FILES of the policies that are to hold, or --withdraw-all, or --undo")
        if self.rejudge_from is not None:
            if self.undo or self.at is not None:
                raise click.UsageError("--rejudge-from goes with FILES, and neither with --undo nor with --at")
            if clock == ClockMode.WALL and self.rejudge_from > epoch_now():
                raise click.UsageError("--rejudge-from must be in the past")
            return
        if self.undo:
            if self.at is not None:
                raise click.UsageError("--undo holds from the instant of what it undoes: leave out --at")
            return
        if (clock == ClockMode.EVENT) != (self.at is not None):
            raise click.UsageError(
                "--at goes with --clock event, where only the feed knows what time it is; by the wall clock a deployment holds "
                "from now on, and what is to change later has a date: `since`, versions and exceptions of calendars"
            )

    def proposal(self, found: ReadLog, policies: PolicySet | None) -> Proposal:
        """``policies``: of the files, ``None`` to undo. Raises click.ClickException."""
        last = found.log.last
        if self.at is not None and last is not None and self.at < last.at:
            raise click.UsageError(
                f"deployment {last.number} holds from {format_instant(last.at)} on: choose that instant or a later one, "
                "or judge anew with --rejudge-from"
            )
        try:
            proposal = self._propose(found.log, policies)
            encode_record(proposal.record)  # too large is found out before anything is counted
        except (NothingToUndoError, RecordError, SnapshotError) as error:
            raise click.ClickException(str(error)) from error
        if (
            proposal.record.kind is DeploymentKind.DEPLOY
            and self.at is None
            and proposal.record.at > epoch_now() + LEAD + _SKEW
        ):
            click.echo(
                f"warning: deployment {found.log.next_after} holds from {format_instant(proposal.record.at)} on, which is in "
                "the future, and another one cannot hold earlier; is the clock right, here and where it was deployed? "
                "--rejudge-from can replace it from an earlier instant on",
                err=True,
            )
        return proposal

    def _propose(self, log: Log, policies: PolicySet | None) -> Proposal:
        if policies is None:
            return undo(log, self.author)
        if self.rejudge_from is not None:
            return rejudge(log, policies, self.rejudge_from, self.author)
        return deploy(log, policies, epoch_now() + LEAD if self.at is None else self.at, self.author)


def epoch_now() -> int:
    """Epoch microseconds."""
    return time.time_ns() // 1_000
