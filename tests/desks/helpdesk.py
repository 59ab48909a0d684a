"""A real django-helpdesk, from PyPI, in a virtual environment of its own that is made once, with SQLite."""

from __future__ import annotations

import fcntl
import http.cookiejar
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.desks.running import HERE, Desk, Rest, basic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Pinned exactly: its API and its webhooks are what the mapping was written for.
REQUIREMENTS: Final = ("django-helpdesk==2.6.1", "gunicorn>=26,<27", "setuptools<81")
_VENV: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "breachwatch/desks/django-helpdesk-2.6.1"
_TITLE: Final = "The scanner jams"


def environment_of_desk() -> Path:
    """The folder of the virtual environment with django-helpdesk, made now if there is none. Needs PyPI then."""
    _VENV.parent.mkdir(parents=True, exist_ok=True)
    with (_VENV.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two processes of pytest may want it
        done = _VENV / "installed"
        if not done.exists() or done.read_text() != repr(REQUIREMENTS):
            shutil.rmtree(_VENV, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
            pip = [str(_VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *REQUIREMENTS], check=True)
            done.write_text(repr(REQUIREMENTS))
    return _VENV


class Helpdesk(Desk):
    """``as_user`` asks its API, ``browser`` clicks, and ``mail`` is a customer's mail through the desk's own mail command."""

    def __init__(self, folder: Path, webhooks: str = "") -> None:
        """``webhooks``: where it sends its two webhooks; empty: nowhere."""
        super().__init__(folder)
        self._python: Final = str(environment_of_desk() / "bin/python")
        self._webhooks: Final = webhooks

    def environment(self) -> Mapping[str, str]:
        hooks = {"HELPDESK_NEW_TICKET_WEBHOOK_URLS": self._webhooks, "HELPDESK_FOLLOWUP_WEBHOOK_URLS": self._webhooks}
        return {
            "DESK_FOLDER": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "desk_settings",
            "PYTHONPATH": str(HERE / "django_helpdesk"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(hooks if self._webhooks else {}),
        }

    def prepare(self) -> None:
        self.run(self._python, "-m", "django", "migrate", "-v0")
        self.run(self._python, str(HERE / "django_helpdesk/seed.py"))

    def command(self) -> Sequence[str]:
        server = [self._python, "-m", "gunicorn", "--no-control-socket", "-w", "2", "-t", "60"]
        return [*server, "-b", f"127.0.0.1:{self.port}", "django.core.wsgi:get_wsgi_application()"]

    def as_user(self, name: str) -> Rest:
        return Rest(f"{self.url}/api", basic(name, f"{name}-password-1"))

    def browser(self, name: str) -> Browser:
        return Browser(self.url, name)

    def mail(self, subject: str, text: str) -> None:
        stamp = time.time_ns()
        (self.folder / "inbox" / str(stamp)).write_text(
            f"From: A Customer <kunde@customer.example>\nTo: help@desk.example\nSubject: {subject}\n"
            f"Message-ID: <{stamp}@customer.example>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
        )
        self.run(self._python, "-m", "django", "get_email")

    def newest(self) -> int:
        """The number of the newest ticket."""
        return max(int(ticket["id"]) for ticket in self.as_user("ines")("GET", "/tickets/?page_size=1000")["results"])


class Browser:
    """An agent who has logged in, and fills in forms."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._cookies = http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies)).open
        self.post("/login/", {"username": name, "password": f"{name}-password-1"}, page="/login/")

    def post(self, path: str, fields: Mapping[str, str], page: str) -> None:
        """Open a page, and send a form from it."""
        with self._open(self._url + page, timeout=60) as shown:
            found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.read().decode())
        assert found, f"{page} has no form"
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": found[1]}).encode()
        request = urllib.request.Request(self._url + path, body, {"Referer": self._url + page})
        with self._open(request, timeout=60) as answer:
            assert answer.status == 200, f"{path}: {answer.status}"

    def update(
        self, ticket: int, *, comment: str = "", public: bool = True, status: int = 1, priority: int = 3, owner: int = 1
    ) -> None:
        """The form with which agents answer and change a ticket."""
        fields = {
            "comment": comment,
            "new_status": str(status),
            "priority": str(priority),
            "owner": str(owner),
            "title": _TITLE,
        }
        shown = {"public": "1"} if public else {}
        self.post(f"/tickets/{ticket}/update/", {**fields, **shown, "queue": "1"}, page=f"/tickets/{ticket}/")
