"""Settings: mistakes are refused with their place and a suggestion."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.sources import FileSource, KafkaSource
from vedette.commands.init import TEMPLATE
from vedette.settings import SettingsError, load_settings, settings_from


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[api]\nhots = 'x'", "api.hots: unknown key; did you mean 'hosts'?"),
        ("[apy]\n", "apy: unknown key; did you mean 'api'?"),
        ("[detectors.x]\ntreshold = 3", "did you mean 'threshold'?"),
        ("[detectors.x]\nthreshold = 'many'", "detectors.x.threshold: "),
        ("[[sources]]\npaths = ['a']\nservise = 'x'", "did you mean 'service'?"),
        ("[[sources]]\npaths = ['a']\nformat = 'combind'", "did you mean 'combined'?"),
        ("[[detectors.x.exceptions]]\nwhy = 'y'", "must name a client, user, api_key"),
        (
            "[[detectors.x.exceptions]]\nwhy = 'y'\napi_key = 'sk-live-1'",
            "exceptions.0.api_key: must be the key as incidents show it",
        ),
        (
            "[[detectors.x.exceptions]]\nwhy = 'y'\nnetwork = '203.0.113.7/24'",
            'exceptions.0.network: must be a network as in "203.0.113.0/24"',
        ),
        (
            "[detectors.x.exceptions]\nwhy = 'y'\nclient = '203.0.113.7'",
            "as in [[detectors.x.exceptions]]",
        ),
        ("[tiers]\ntimes = 5", "tiers.times: must be a table of its own"),
        ("[tiers.a]\ntimes = 5", "tiers.a: a tier must name clients"),
        ("[tiers.a]\ntimes = 5\napi_keys = ['sk-live-1']", "must be the key as incidents show it"),
        ("[rules.placeholders]\nlogin_paths = []", "login_paths has no values"),
        ("[api", "not valid TOML"),
        (f"x = {'[' * 3000}", "not valid TOML"),
    ],
)
def test_mistakes_are_refused(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "v.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert complaint in str(refused.value)
    assert str(file) in str(refused.value)


FILES = "[[sources]]\npaths = ['a']\n"
TOPICS = "[[sources]]\nbootstrap_servers = ['k:9092']\ntopics = ['t']\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (FILES + "topic = 'b'", "0.topic: unknown key"),
        ("[[sources]]\npaths = 'a'", "0.paths: must be a list"),
        ("[[sources]]\npaths = []", "0.paths: must not be empty"),
        ("[[sources]]\npaths = ['']", "0.paths: a path is empty"),
        ("[[sources]]\nservice = 'a'", "0.paths: is needed"),
        (FILES + "format = 3", "0.format: must be a text in quotes"),
        (FILES + "format = 'nginx'", "0: format 'nginx' needs a pattern"),
        (FILES + "pattern = '$status'", "0: a pattern needs format 'nginx'"),
        (FILES + "format = 'nginx'\npattern = '$status$msec'", "0: pattern: $status is followed"),
        (FILES + "format = 'json'\nfields = 'date'", "0: fields need format 'w3c'"),
        (FILES + "mapping = 'x'", "0.mapping: must be a table"),
        (FILES + "mapping = { ip = 'x' }", "0.mapping: no column 'ip'"),
        (FILES + "timezone = 'Pari'", "0.timezone: unknown time zone"),
        (FILES + "ignore = ['(']", "0.ignore: the pattern '(' cannot be read"),
        (FILES + "role = 'egde'", "0.role: must be 'edge' or 'internal'"),
        (FILES + "lateness = '5x'", "0.lateness: '5x' is no duration"),
        (FILES + "trusted_proxies = ['privat']", "0.trusted_proxies: 'privat' is no trusted"),
        (FILES + "start = 'end'", "0.start: this source reads files;"),
        (TOPICS + "paths = ['a']", "0.paths: this source reads topics of Kafka;"),
        ("[[sources]]\ntopics = ['t']", "0.bootstrap_servers: is needed"),
        (TOPICS.replace("k:9092", "k:99999"), "0.bootstrap_servers: entry 1 is no broker"),
        (TOPICS.replace("k:9092", "http://k"), "0.bootstrap_servers: entry 1 is no broker"),
        (TOPICS.replace("k:9092", "k:1,l:2"), "0.bootstrap_servers: entry 1 is no broker"),
        (TOPICS + "start = 'begin'", "0.start: must be beginning, end, or a date and time"),
        (TOPICS + "start = 5", "0.start: must be beginning, end, or a date and time"),
        (TOPICS + "group_id = ''", "0.group_id: must not be empty"),
        (TOPICS + "security_protocol = 'SASL_SSL'", "0: SASL needs"),
        (TOPICS + "username = 'u'", "0: a username or sasl_mechanism needs"),
        (TOPICS + "ca_file = 'x'", "0: certificates need"),
        (TOPICS + "key_password = 'x'", "0: key_password needs"),
    ],
)
def test_mistakes_in_sources_say_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_from(text)
    assert str(refused.value).startswith(f"settings: sources.{complaint}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "server", ["k", "k:9092", "kafka-1.shop.example:1", "127.0.0.1:65535", "[2001:db8::7]:9092"]
)
def test_brokers_are_named_by_host_and_port(server: str) -> None:
    (source,) = settings_from(TOPICS.replace("k:9092", server)).sources
    assert isinstance(source, KafkaSource)
    assert source.bootstrap_servers == (server,)


@pytest.mark.parametrize(
    "start", ["'2026-11-02T08:00:00'", "2026-11-02T08:00:00Z", "'2026-11-02T09:00:00+01:00'"]
)
def test_reading_begins_at_a_time(start: str) -> None:
    (source,) = settings_from(TOPICS + f"start = {start}").sources
    assert isinstance(source, KafkaSource)
    assert source.start == datetime(2026, 11, 2, 8, tzinfo=UTC)


def test_a_source_s_password_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "v.toml"
    file.write_text(
        FILES + TOPICS + "security_protocol = 'SASL_SSL'\nsasl_mechanism = 'PLAIN'\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("VEDETTE_SOURCES__1__PASSWORD", "s3cret")
    monkeypatch.setenv("VEDETTE_SOURCES__1__USERNAME", "u")
    monkeypatch.setenv("VEDETTE_SOURCES__0__PATHS", '["b", "c"]')
    files, topics = load_settings(file).sources
    assert isinstance(files, FileSource)
    assert isinstance(topics, KafkaSource)
    assert files.paths == ("b", "c")
    assert (topics.username, topics.topics) == ("u", ("t",))
    assert topics.password is not None
    assert topics.password.get_secret_value() == "s3cret"


def test_a_key_is_added_to_sources_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDETTE_SOURCES", '[{"paths": ["a"]}]')
    monkeypatch.setenv("VEDETTE_SOURCES__0__PATTERN", '[$time_local] $status "$request"')
    monkeypatch.setenv("VEDETTE_SOURCES__0__FORMAT", "nginx")
    (source,) = load_settings(None).sources
    assert (source.format, source.pattern) == ("nginx", '[$time_local] $status "$request"')


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("VEDETTE_SOURCES__1__PASSWORD", "x", "VEDETTE_SOURCES__1: no such source"),
        ("VEDETTE_SOURCES__KAFKA__PASSWORD", "x", "VEDETTE_SOURCES__KAFKA: no such source"),
        ("VEDETTE_SOURCES__0", "x", "VEDETTE_SOURCES__0: add the key"),
        ("VEDETTE_SOURCES__0__PATHS", "a,b", "VEDETTE_SOURCES__0__PATHS: lists and tables"),
        ("VEDETTE_SOURCES__0__PASWORD", "geheim", "unknown key"),
    ],
)
def test_variables_of_sources_that_cannot_be_used_are_named(
    name: str, value: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "v.toml"
    file.write_text(FILES, encoding="utf-8")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert complaint in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="vedette init"):
        load_settings(tmp_path / "none.toml")


def test_the_environment_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "v.toml"
    file.write_text("[api]\nport = 1\nhost = '127.0.0.2'", encoding="utf-8")
    monkeypatch.setenv("VEDETTE_API__PORT", "2")
    settings = load_settings(file)
    assert (settings.api.port, settings.api.host) == (2, "127.0.0.2")


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDETTE_APY__PORT", "2")
    with pytest.raises(SettingsError, match=r"VEDETTE_APY__PORT.*did you mean 'api'"):
        load_settings(None)


def test_a_secret_is_shown_nowhere(tmp_path: Path) -> None:
    secret = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    settings = settings_from(f"[notify]\nurl = '{secret}'")
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in repr(settings) + str(settings.model_dump_json())
    file = tmp_path / "v.toml"
    file.write_text(f"[notify]\nurl = ['{secret}']", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in str(refused.value)


def test_the_template_is_valid_and_says_the_defaults() -> None:
    settings = settings_from(TEMPLATE)
    plain = settings_from("")
    assert settings.api == plain.api
    assert settings.notify == plain.notify
    assert settings.notify.max_age == timedelta(hours=1)
    assert settings.detectors == {}


def test_settings_know_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_settings(Path("v.toml")).file == tmp_path / "v.toml"
    assert load_settings(None).file is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[api]\nenabled = 'x'", "api.enabled: must be true or false"),
        ("[api]\nport = 70000", "api.port: must be at most 65535"),
        ("[targets.a]\nurl = 'json://a'\nmax_messages = 0", "max_messages: must be at least 1"),
        ("[notify]\nmin_level = 'hihg'", "notify.min_level: must be 'informational', 'low', 'me"),
        ("[detectors.read_rate]\nmode = 'x'", "read_rate.mode: must be 'alert' or 'monitor'"),
    ],
)
def test_mistakes_are_told_in_the_words_of_settings(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from(text)
    assert complaint in str(caught.value)
    assert "Input" not in str(caught.value)
