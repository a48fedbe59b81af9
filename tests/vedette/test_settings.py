"""Settings: mistakes are refused with their place and a suggestion."""

from datetime import timedelta
from pathlib import Path

import pytest

from vedette.commands.init import TEMPLATE
from vedette.settings import SettingsError, load_settings, settings_from


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[api]\nhots = 'x'", "api.hots: unknown key; did you mean 'host'?"),
        ("[apy]\n", "apy: unknown key; did you mean 'api'?"),
        ("[detectors.x]\ntreshold = 3", "did you mean 'threshold'?"),
        ("[detectors.x]\nthreshold = 'many'", "detectors.x.threshold: "),
        ("[[sources]]\npaths = ['a']\nservise = 'x'", "did you mean 'service'?"),
        ("[[sources]]\npaths = ['a']\nformat = 'combind'", "did you mean 'combined'?"),
        ("[[detectors.x.exceptions]]\nwhy = 'y'", "must name a client, user, path or network"),
        ("[api", "not valid TOML"),
    ],
)
def test_mistakes_are_refused(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "v.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert complaint in str(refused.value)
    assert str(file) in str(refused.value)


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
