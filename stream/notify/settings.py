"""The settings of ``breachwatch notify run`` in the table ``notify``; what it shares with workers is not among them."""

from __future__ import annotations

from dataclasses import dataclass

from stream.runtime import setting_values as read
from stream.runtime.table_settings import setting

TABLE = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Of one process."""

    rules: str = setting(read.text, "notify.yaml", "File of the rules: destinations and routes.")
    begin: str = setting(
        read.text,
        "end",
        "Where a destination begins that never got anything: 'end' of the topics, or the effects published since an instant "
        "(RFC 3339).",
    )
    address: str = setting(read.text, "127.0.0.1", "Address on which /metrics, /healthz and /readyz are served.")
    port: int = setting(read.whole(0, 65_535), "9303", "Port of these pages; 0 selects a free port, which the log shows.")
