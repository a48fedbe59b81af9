"""Dockerfile and docker-compose.yml: valid, hardened, and in step with the program."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import compose_spec
import pytest
import yaml
from typer.testing import CliRunner

from tests.packaging.compose import (
    COMPOSE,
    ROOT,
    command_of,
    environment_of,
    services,
    settings_file,
)
from vedette.cli import cli
from vedette.settings import load_settings

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
NAMES: Final = ("kafka", "topic", "postgres", "vedette", "demo")


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def stages() -> list[list[str]]:
    """The instructions of each stage, continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def instruction(name: str) -> str:
    """The last instruction of that name in the last stage."""
    found = [line for line in stages()[-1] if line.startswith(f"{name} ")]
    assert found, f"the image has no {name}"
    return found[-1].removeprefix(f"{name} ")


def test_compose_file_has_the_schema() -> None:
    compose = compose_spec.PyCompose.from_json(json.dumps(document()))  # `<<` is merged by then
    assert set(compose.service_names()) == set(NAMES)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("service_healthy", "service_happy"), ("read_only", "readonly"), ("tmpfs", "tmp_fs")],
)
def test_the_schema_check_can_fail(right: str, wrong: str) -> None:
    spoiled = json.dumps(document()).replace(right, wrong)
    with pytest.raises(ValueError, match=wrong):
        compose_spec.PyCompose.from_json(spoiled)


@pytest.mark.parametrize("name", NAMES)
def test_service_is_hardened(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc"} & set(service)
    assert str(service.get("user", "1")).split(":")[0] not in {"0", "root"}
    assert any(mount.split(":")[0] == "/tmp" for mount in service["tmpfs"])
    mounts = [mount.split(":")[0] for mount in service.get("volumes", [])]
    assert set(mounts) <= set(document()["volumes"]), "state is in volumes, not in folders"


def test_only_the_api_is_published_and_only_on_loopback() -> None:
    published = {
        name: service["ports"] for name, service in services().items() if "ports" in service
    }
    assert published == {"vedette": ["127.0.0.1:8787:8787"]}
    reachable = {name for name, service in services().items() if "outside" in service["networks"]}
    assert reachable == {"vedette"}
    assert document()["networks"]["inside"] == {"internal": True}


def test_passwords_come_from_outside() -> None:
    for service in services().values():
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key or "SECRET" in key:
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), key
            assert not re.search(r"://[^@/]*:[^@/]*@", value), f"a password in {key}"


def test_services_wait_for_what_they_need() -> None:
    known = services()
    for service in known.values():
        for needed, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            assert needed in known
            assert condition in {"service_healthy", "service_completed_successfully"}
            if condition == "service_healthy":
                own = "healthcheck" in known[needed]
                assert own or "build" in known[needed], f"{needed} has no health check"
    assert set(known["vedette"]["depends_on"]) == {"postgres", "topic"}


def test_images_are_of_one_version() -> None:
    images = {service["image"] for service in services().values()}
    assert images == {"apache/kafka:4.1.0", "postgres:17", "vedette"}


def test_what_is_declared_is_used_and_there() -> None:
    for kind in ("configs", "volumes", "networks"):
        used: set[str] = set()
        for service in services().values():
            entries = service.get(kind, [])
            used |= {e["source"] if isinstance(e, dict) else e.split(":")[0] for e in entries}
        assert used == set(document()[kind])
    for config in document()["configs"].values():
        assert (ROOT / config["file"]).is_file()


def test_topic_is_one_everywhere() -> None:
    source = tomllib.loads((ROOT / "docs/ship/compose/vedette.toml").read_text(encoding="utf-8"))
    topics = source["sources"][0]["topics"]
    assert f"--topic={topics[0]}" in services()["topic"]["command"]
    assert topics[0] in services()["demo"]["command"]
    listeners = services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert listeners == f"PLAINTEXT://{source['sources'][0]['bootstrap_servers'][0]}"


def test_commands_are_those_of_the_program() -> None:
    command = command_of("vedette", config=Path("elsewhere.toml"))
    assert command == ["run", "--config", "elsewhere.toml"]
    for name in ("vedette", "demo"):
        assert CliRunner().invoke(cli, [command_of(name)[0], "--help"]).exit_code == 0
    environment = environment_of("vedette", {"POSTGRES_PASSWORD": "secret"})
    assert environment["PGPASSWORD"] == "secret"
    assert environment["VEDETTE_STORE__URL"].startswith("postgresql+psycopg://")
    with pytest.raises(KeyError, match="POSTGRES_PASSWORD"):
        environment_of("vedette", {})


def test_settings_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of("vedette", {"POSTGRES_PASSWORD": "secret"}).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(settings_file("vedette"))
    assert (
        settings.store.url.get_secret_value()
        == environment_of("vedette", {"POSTGRES_PASSWORD": "other"})["VEDETTE_STORE__URL"]
    )
    assert settings.api.host == "0.0.0.0"
    assert settings.api.behind_proxy
    assert settings.api.port == 8787


def test_the_image_is_slim_and_nobodys() -> None:
    first, last = stages()
    assert first[0].split()[1] == last[0].split()[1]
    assert first[0].split()[1].endswith("-slim")
    user = instruction("USER").split(":")[0]
    assert user.isdigit()
    assert int(user) >= 10_000
    assert f"--uid {user}" in " ".join(last)
    assert last.index(f"USER {instruction('USER')}") < last.index(
        f"ENTRYPOINT {instruction('ENTRYPOINT')}"
    )
    assert not [line for line in last if "pip" in line]


def test_everything_installed_is_locked() -> None:
    installs = re.findall(r"pip\S* (?:--python \S+ )?install [^&]*", " ".join(stages()[0]))
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install
    assert "ADD " not in DOCKERFILE
    assert not re.search(r"(?i)password|token|secret", DOCKERFILE)


def test_the_builder_gets_what_it_copies_and_no_more() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {line[1:] for line in rules if line.startswith("!")}
    copied = {
        source for line in stages()[0] if line.startswith("COPY ") for source in line.split()[1:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)
    assert {"ingest", "detectors", "alerts", "api", "vedette"} <= copied


def test_the_program_writes_where_it_may() -> None:
    assert instruction("VOLUME") == "/var/lib/vedette"
    environment = instruction("ENV")
    assert "XDG_STATE_HOME=/var/lib" in environment.split()
    assert "vedette:/var/lib/vedette" in services()["vedette"]["volumes"]


def test_the_health_check_asks_a_path_that_exists() -> None:
    check = instruction("HEALTHCHECK")
    path = re.search(r"'(/[a-z]+)'", check)
    assert path
    assert f'@router.get("{path[1]}"' in (ROOT / "api/status.py").read_text(encoding="utf-8")
    assert instruction("EXPOSE") == "8787"
    assert "8787" in check
