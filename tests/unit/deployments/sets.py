"""Small sets of policies, and logs made of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stream.deployments.log import Added, Log
from stream.deployments.record import DeploymentKind, encode_record, new_record
from stream.language.policies import load

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

HOUR = 3_600_000_000
START = 1_798_794_000_000_000

_TEXT = """
policies:
  - policy: desk
    version: 1
    applies_to: always
    calendar: 24x7
    commitments: [{{metric: resolution, target: {target}}}]
"""


@cache
def with_target(target: str) -> PolicySet:
    """One policy with a target for the resolution, such as ``4h``."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "policy.yaml")
        file.write_text(_TEXT.format(target=target), "utf-8")
        return load([file])


def target_of(policies: PolicySet) -> str:
    """The target of such a set."""
    ((_, target),) = policies.policies[0].commitments[0].target.cases
    return target.text


def written(after: int, at: int, target: str, kind: DeploymentKind = DeploymentKind.DEPLOY) -> bytes:
    """A record of the set with a target."""
    return encode_record(new_record(after, at, kind, with_target(target)))


def append(log: Log, offset: int, at: int, target: str, kind: DeploymentKind = DeploymentKind.DEPLOY) -> Added:
    """Add a valid record."""
    added = log.add(offset, written(log.next_after, at, target, kind), at)
    assert isinstance(added, Added), added
    return added
