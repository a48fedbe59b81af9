"""Which source of the settings says how a file of the command line is read."""

from pathlib import Path

import pytest

from vedette.settings import Settings, SettingsError, settings_from
from vedette.sources import sources_for

TWO = """
[[sources]]
paths = ["/var/log/shop/*.log", "/srv/logs"]
service = "shop"
trusted_proxies = ["10.0.0.0/8"]

[[sources]]
paths = ["/var/log/edge.log"]
service = "edge"

[[sources]]
bootstrap_servers = ["localhost:9092"]
topics = ["access"]
"""


def services(files: list[str], settings: Settings) -> dict[str, str | None]:
    found = sources_for(files, settings, "auto")
    return {path: source.service for source in found for path in source.paths}


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_file_is_read_as_the_source_says_that_names_it() -> None:
    files = ["/var/log/shop/a.log", "/srv/logs/b", "/var/log/edge.log", "/tmp/other.log", "-"]
    assert services(files, settings_from(TWO)) == {
        "/var/log/shop/a.log": "shop",
        "/srv/logs/b": "shop",
        "/var/log/edge.log": "edge",
        "/tmp/other.log": None,
        "-": None,
    }


def test_the_only_source_says_it_for_all_files() -> None:
    one = settings_from('[[sources]]\npaths = ["/var/log/edge.log"]\nservice = "edge"')
    assert services(["/tmp/copy.log", "-"], one) == {"/tmp/copy.log": "edge", "-": "edge"}


def test_a_format_named_goes_before() -> None:
    (source,) = sources_for(["a.log"], settings_from(""), "json")
    assert source.format == "json"
    with pytest.raises(SettingsError, match=r"--format combind: .*did you mean 'combined'"):
        sources_for(["a.log"], settings_from(""), "combind")


def test_a_topic_belongs_to_one_source() -> None:
    again = '\n[[sources]]\nbootstrap_servers = ["other:9092"]\ntopics = ["b", "access"]\n'
    with pytest.raises(SettingsError, match="topic 'access' is named twice"):
        settings_from(TWO + again)


def test_secrets_of_a_topic_are_masked() -> None:
    text = TWO.replace(
        'topics = ["access"]',
        'topics = ["access"]\nsecurity_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "PLAIN"\n'
        'username = "u"\npassword = "hunter22"',
    )
    assert "hunter22" not in repr(settings_from(text))
