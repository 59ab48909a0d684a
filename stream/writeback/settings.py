"""The settings of ``breachwatch writeback``: the table ``[writeback]`` of the settings file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from stream.runtime import setting_values as read
from stream.runtime.listen_address import Address, address
from stream.runtime.settings import SettingsError
from stream.runtime.table_settings import Sources, setting, table_of, values_of

TABLE: Final = "writeback"


@dataclass(frozen=True, slots=True, kw_only=True)
class WritebackSettings:
    """All of them. Durations are microseconds."""

    desks: tuple[str, ...] = setting(read.names, None, "Files of desks, separated by commas.")
    coalesce: int = setting(
        read.Length("0s", "5m"),
        "5s",
        "How long a ticket waits after a change for more of them, which are then written together.",
    )
    history: int = setting(
        read.Length("0s", "365d"),
        "1d",
        "If nothing is open on a ticket and its newest effect is older than this, fields that were never written stay as they "
        "are.",
    )
    keep: int = setting(
        read.Length("1d", "3650d"),
        "30d",
        "How long the record of a ticket on which nothing is open is kept after its newest effect.",
    )
    listen: Address = setting(  # noqa: RUF009  it makes a dataclass field
        address("127.0.0.1:9305"), "127.0.0.1:9305", "Address of the metrics and the health checks. Port 0 is any free one."
    )


def load(sources: Sources) -> WritebackSettings:
    """Raises SettingsError with every problem."""
    problems: list[str] = []
    given: dict[str, Any] = table_of(sources.file, TABLE, problems)
    values = values_of(WritebackSettings, TABLE, sources, given, problems)
    if problems:
        raise SettingsError(problems)
    return WritebackSettings(**values)
