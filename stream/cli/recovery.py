"""Options and checks of ``breachwatch backup``, ``restore`` and ``rebuild``."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, TypeVar

import click
from aiokafka.errors import KafkaError

from stream.cli.newer_release import NewerRelease
from stream.cli.setting_options import setting_options
from stream.cli.topics import client_of, no_answer, topics_of
from stream.runtime.kafka.policy_log import PolicyLogError
from stream.runtime.recovery.backup import NoBackupError
from stream.runtime.recovery.backup_file import BackupError
from stream.runtime.recovery.cluster import Cluster
from stream.runtime.recovery.rebuild import RebuildError
from stream.runtime.recovery.restore import RestoreError
from stream.wire.forms import NewerReleaseError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

WOULD: Final = 3
"""Exit status of a dry run that would change something, as of ``breachwatch deploy``."""
where: Final = setting_options("broker", "app_id", "topic_prefix")
dry_run_option: Final = click.option("--dry-run", is_flag=True, help="Report what would be done, and change nothing.")


def cluster_of(broker: str, app_id: str, topic_prefix: str) -> Cluster:
    """Raises click.ClickException."""
    return Cluster(broker, topics_of(app_id, topic_prefix), client_of(broker))


def report(text: str) -> None:
    """Show how far the work is."""
    click.echo(text, err=True)


def run(broker: str, work: Coroutine[object, object, T]) -> T:
    """Raises click.ClickException."""
    # The client logs every failed attempt; the error below is reported once, with advice.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except NewerReleaseError as error:
        raise NewerRelease(str(error)) from error
    except (NoBackupError, BackupError, RestoreError, RebuildError, PolicyLogError) as error:
        raise click.ClickException(str(error)) from error
    except KafkaError as error:
        raise no_answer(broker, error) from error
