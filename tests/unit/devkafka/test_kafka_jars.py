"""Fetching the broker's jars, against a small Maven repository served by the test itself."""

from __future__ import annotations

import gc
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from stream.devkafka.jars import BrokerError, Jar, kafka_version, pinned, provide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# jgo closes its HTTP session before it reads what it asked for, and leaves the socket to the garbage collector; the
# fixture below collects, so that the warning comes here and not in somebody else's test.
pytestmark = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")


class Repository:
    """A Maven repository in a folder, and the paths that were asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.url = ""

    def publish(self, artifact: str, content: bytes) -> Jar:
        path = self.folder / "org" / "example" / artifact / "1.0" / f"{artifact}-1.0.jar"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return Jar("org.example", artifact, "1.0", len(content), hashlib.sha256(content).hexdigest())


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, repository: Repository, **kwargs: Any) -> None:
        self.repository = repository
        super().__init__(*args, directory=str(repository.folder), **kwargs)

    def do_GET(self) -> None:
        self.repository.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    made.folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, repository=made))
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()
    gc.collect()


def test_the_pinned_list_names_one_kafka_version_and_each_jar_once() -> None:
    jars = pinned()

    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {kafka_version()}
    assert len({(jar.group, jar.artifact) for jar in jars}) == len(jars) == 46
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)


def test_missing_jars_are_fetched_once_and_their_size_is_reported(tmp_path: Path, repository: Repository) -> None:
    jars = [repository.publish("one", b"1" * 900_000), repository.publish("two", b"2" * 100_000)]
    messages: list[str] = []

    folder = provide(messages.append, cache=tmp_path / "cache", jars=jars, repository=repository.url)

    assert sorted(path.name for path in folder.iterdir()) == ["one-1.0.jar", "two-1.0.jar"]
    assert "2 jars, 1.0 MB" in messages[0]
    assert messages[-1] == "  1.0 of 1.0 MB"
    repository.asked.clear()
    messages.clear()
    assert provide(messages.append, cache=tmp_path / "cache", jars=jars, repository=repository.url) == folder
    assert (repository.asked, messages) == ([], [])


def test_only_a_damaged_jar_of_the_cache_is_fetched_again(tmp_path: Path, repository: Repository) -> None:
    jars = [repository.publish("one", b"whole"), repository.publish("two", b"sound")]
    folder = provide(lambda _: None, cache=tmp_path / "cache", jars=jars, repository=repository.url)
    (folder / "one-1.0.jar").write_bytes(b"whale")
    repository.asked.clear()

    provide(lambda _: None, cache=tmp_path / "cache", jars=jars, repository=repository.url)

    assert (folder / "one-1.0.jar").read_bytes() == b"whole"
    assert {path.split("/")[3] for path in repository.asked} == {"one"}


def test_a_jar_that_is_not_the_pinned_one_is_an_error_and_not_kept(tmp_path: Path, repository: Repository) -> None:
    jar = repository.publish("one", b"what was published later")._replace(sha256="0" * 64)

    with pytest.raises(BrokerError, match=r"the fetched one-1\.0\.jar is not the pinned jar"):
        provide(lambda _: None, cache=tmp_path / "cache", jars=[jar], repository=repository.url)

    assert [path.name for path in (tmp_path / "cache").rglob("*.jar")] == []


def test_an_absent_jar_is_an_error_with_its_name_and_the_remedies(tmp_path: Path, repository: Repository) -> None:
    with pytest.raises(BrokerError) as refused:
        provide(lambda _: None, cache=tmp_path, jars=[Jar("g", "gone", "1.0", 1, "")], repository=repository.url)

    assert "cannot fetch gone-1.0.jar" in str(refused.value)
    assert "BREACHWATCH_MAVEN_REPOSITORY" in str(refused.value)
    assert f"kafka-{kafka_version()}" in str(refused.value)


def test_two_concurrent_fetches_fetch_each_jar_once(tmp_path: Path, repository: Repository) -> None:
    jars = [repository.publish(name, name.encode() * 1000) for name in ("one", "two", "three")]
    fetch = partial(provide, lambda _: None, cache=tmp_path / "cache", jars=jars, repository=repository.url)
    threads = [threading.Thread(target=fetch) for _ in range(2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    asked = [path for path in repository.asked if path.endswith(".jar")]
    assert len(asked) == len(set(asked)) == 3
