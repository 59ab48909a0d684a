"""The settings of ``breachwatch notify run`` in the table ``notify``; what it shares with workers is not among them."""

from __future__ import annotations

from dataclasses import dataclass

from stream.runtime import setting_values as read
from stream.runtime.listen_address import Address, address
from stream.runtime.table_settings import setting

TABLE = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """The settings of a ``notify`` process."""

    rules: str = setting(read.text, "notify.yaml", "File of the rules: destinations and routes.")
    begin: str = setting(
        read.text,
        "end",
        "Where a destination begins for the first time: 'end', which is the end of the topics, or an instant (RFC 3339), from "
        "which on it gets the published effects.",
    )
    listen: Address = setting(  # noqa: RUF009  it makes a dataclass field
        address("127.0.0.1:9303"), "127.0.0.1:9303", "Address of the metrics and the health checks. Port 0 is any free one."
    )
