"""Only jars of the committed list are ever run."""

import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.broker import jars
from tests.broker.jars import FetchError, JarsDifferError

CONTENT = {"broker-1.jar": b"one", "clients-1.jar": b"two"}


def fill(folder: Path, content: dict[str, bytes] = CONTENT) -> None:
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


@pytest.fixture
def fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A list, a cache and a Maven of our own; each call of Maven is noted."""
    listed = tmp_path / "jars.sha256"
    listed.write_text(
        "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in CONTENT.items()),
        encoding="utf-8",
    )
    calls: list[Path] = []

    def fetch(folder: Path) -> None:
        calls.append(folder)
        fill(folder)

    monkeypatch.setattr(jars, "LIST", listed)
    monkeypatch.setattr(jars, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(jars, "fetch", fetch)
    return calls


def test_jars_are_fetched_once(fetches: list[Path]) -> None:
    assert not jars.are_fetched()
    first = jars.ready_jars()
    assert jars.are_fetched()
    assert jars.ready_jars() == first
    assert [path.name for path in first] == sorted(CONTENT)
    assert len(fetches) == 1


def test_changed_jar_is_refused(fetches: list[Path]) -> None:
    changed = jars.ready_jars()[0]
    changed.write_bytes(b"something else")
    with pytest.raises(JarsDifferError, match=r"changed: broker-1\.jar has SHA-256 [0-9a-f]{64}"):
        jars.ready_jars()


def test_missing_and_unknown_jars_are_refused(fetches: list[Path]) -> None:
    moved = jars.ready_jars()[0]
    moved.rename(moved.with_name("other.jar"))
    with pytest.raises(JarsDifferError, match=r"missing: broker-1\.jar\n  not in .*: other\.jar"):
        jars.ready_jars()


def test_what_maven_brought_is_checked_before_it_is_kept(
    fetches: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CONTENT | {"clients-1.jar": b"three"}
    monkeypatch.setattr(jars, "fetch", lambda folder: fill(folder, other))
    with pytest.raises(JarsDifferError, match=r"changed: clients-1\.jar"):
        jars.ready_jars()
    assert not jars.are_fetched()
    assert not list(jars.CACHE.iterdir())


def test_failing_maven_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n", encoding="utf-8")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(maven.parent), prepend=":")
    with pytest.raises(FetchError, match="no such thing"):
        jars.fetch(tmp_path / "jars")


def test_the_list_is_that_of_the_pom() -> None:
    listed = jars.read_list(jars.LIST.read_text(encoding="utf-8"))
    wanted = {
        f"{dependency.findtext('artifactId')}-{dependency.findtext('version')}.jar"
        for dependency in ET.parse(jars.POM).iter("dependency")
    }
    assert wanted <= listed.keys()
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in listed.values())


def test_the_pom_names_no_repository() -> None:
    tags = {element.tag for element in ET.parse(jars.POM).iter()}
    assert tags.isdisjoint({"repository", "repositories", "pluginRepository", "url"})
