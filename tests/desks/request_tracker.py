"""A real Request Tracker 5, from Debian's packages, with SQLite."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, Final

from tests.desks.running import HERE, Desk, Rest, basic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PACKAGES: Final = ("request-tracker5", "rt5-db-sqlite", "rt5-standalone", "rt5-clients")
_SERVER: Final = "/usr/share/request-tracker5/libexec/rt-server"


def installed() -> bool:
    return shutil.which("rt-setup-database-5") is not None and shutil.which("rt-mailgate-5") is not None


class RequestTracker(Desk):
    """``as_user`` asks its REST2 API; ``mail`` is a customer's mail through RT's own gateway."""

    def __init__(self, folder: Path, webhook: str = "", secret: str = "") -> None:
        """``webhook``: where the shipped scrip posts every transaction, signed with ``secret``; empty: nowhere."""
        super().__init__(folder)
        self._scrip: Final = {"BREACHWATCH_FEED_URL": webhook, "BREACHWATCH_FEED_SECRET": secret}

    def environment(self) -> Mapping[str, str]:
        return {
            "DESK_FOLDER": str(self.folder),
            "DESK_PORT": str(self.port),
            "RT_SITE_CONFIG": str(HERE / "rt/RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": str(self.folder / "no-other-settings"),
            **self._scrip,
        }

    def prepare(self) -> None:
        (self.folder / "no-other-settings").mkdir(exist_ok=True)
        password = self.folder / "root-password"
        password.write_text("root-password-1")
        self.run("rt-setup-database-5", "--action", "init", "--root-password-file", str(password))
        for data in (HERE / "rt/initialdata", HERE.parents[1] / "docs/feeds/rt-scrip.pl"):
            self.run("rt-setup-database-5", "--action", "insert", "--skip-create", "--datafile", str(data))

    def command(self) -> Sequence[str]:
        return [_SERVER, "--server", "Starlet", "--host", "127.0.0.1", "--port", str(self.port), "--max-workers", "3"]

    def as_user(self, name: str) -> Rest:
        return Rest(f"{self.url}/REST/2.0", basic(name, f"{name}-password-1"))

    def mail(self, subject: str, text: str, *, queue: str = "helpdesk") -> None:
        message = (
            f"From: A Customer <kunde@customer.example>\nTo: help@desk.example\nSubject: {subject}\n"
            f"Message-ID: <{time.time_ns()}@customer.example>\nMIME-Version: 1.0\n"
            f"Content-Type: text/plain; charset=utf-8\n\n{text}\n"
        )
        self.run("rt-mailgate-5", "--queue", queue, "--action", "correspond", "--url", self.url, input=message.encode())

    def newest(self) -> int:
        """The number of the newest ticket."""
        found: Any = self.as_user("ines")("GET", "/tickets?query=id%3E0&orderby=id&order=DESC&per_page=1")
        return int(found["items"][0]["id"])
