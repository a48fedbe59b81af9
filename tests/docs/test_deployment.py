"""Unit, manifests and shell lines of the pages fit the program, and are hardened."""

import ast
import configparser
import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from typer.main import get_command

from alerts.access.secret import SECRET_BYTES, server_secret
from alerts.database.opening import open_database
from tests.docs.pages import ROOT, blocks, name_of, page, pages
from vedette.cli import cli
from vedette.settings import settings_from

UNIT: Final = ROOT / "docs" / "deploy" / "vedette.service"
DOCUMENTS: Final[list[dict[str, Any]]] = list(yaml.safe_load_all(page("deploy/kubernetes.yml")))
BY_KIND: Final = {document["kind"]: document for document in DOCUMENTS}
POD: Final = BY_KIND["Deployment"]["spec"]["template"]["spec"]
CONTAINERS: Final = [*POD["initContainers"], *POD["containers"]]


def unit() -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # how configparser keeps case
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return dict(parser["Service"])


def lines() -> Iterator[tuple[str, str]]:
    """Yield what follows the program's name in the shell lines of pages, with the page's name."""
    for path in pages():
        for block in blocks(path.read_text(encoding="utf-8"), "console"):
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                if line.startswith("$ "):
                    found = after_the_program(words(line.removeprefix("$ ")))
                    if found:
                        yield name_of(path), shlex.join(found)


def words(line: str) -> list[str]:
    """Return the words of a shell line up to a pipe or comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&>")
    lexer.whitespace_split = True
    found: list[str] = []
    for word in lexer:
        if set(word) <= set("|;&>"):
            break
        found.append(word)
    return found


def after_the_program(found: list[str]) -> list[str]:
    """Return a command and its options: `vedette` may also be a user, a group or a container."""
    starts = [
        number
        for number, (word, following) in enumerate(pairwise(found), 1)
        if re.fullmatch(r"(.*/)?vedette", word) and re.fullmatch(r"[a-z]+", following)
    ]
    return found[starts[-1] :] if starts else []


def options_of(command: list[str]) -> tuple[str, set[str]]:
    """The command that the words name, and the options that it has."""
    found: Any = get_command(cli)
    name = "vedette"
    options = {"--help", "--version"}
    for word in command:
        below = getattr(found, "commands", {})
        if word not in below:
            break
        found, name = below[word], f"{name} {word}"
    for parameter in found.params:
        options |= {*parameter.opts, *parameter.secondary_opts}
    return name, options


LINES: Final = list(dict.fromkeys(lines()))


def test_there_are_lines_to_look_at() -> None:
    assert {"README.md", "docs/quickstart.md", "docs/deployment.md"} <= {
        where for where, _ in LINES
    }


@pytest.mark.parametrize(("where", "line"), LINES, ids=[f"{w}: {line}" for w, line in LINES])
def test_a_line_names_commands_and_options_that_exist(where: str, line: str) -> None:
    command = shlex.split(line)
    name, options = options_of(command)
    assert name != "vedette", f"{where}: there is no command {command[0]!r}"
    given = {word.partition("=")[0] for word in command if re.match(r"--?[a-z]", word)}
    assert given <= options, f"{where}: {name} has no {', '.join(sorted(given - options))}"


def test_the_unit_starts_the_program_as_nobody_in_particular() -> None:
    service = unit()
    command = shlex.split(service["ExecStart"])
    assert command[0].endswith("/bin/vedette")
    name, options = options_of(command[1:])
    assert name == "vedette run"
    assert {word for word in command if word.startswith("--")} <= options
    assert service["User"] == "vedette"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert f"{service['Environment'].partition('=')[2]}/{service['StateDirectory']}" == (
        "/var/lib/vedette"
    )


def test_systemd_has_nothing_against_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:  # what is above holds all the same
        return
    text = UNIT.read_text(encoding="utf-8")
    here = {"/opt/vedette/bin/vedette": "/bin/true", "=vedette\n": "=root\n"}
    for given, known in here.items():
        text = text.replace(given, known)
    copy = tmp_path / "vedette.service"
    copy.write_text(text.replace("StateDirectory=root", "StateDirectory=vedette"), encoding="utf-8")
    verified = subprocess.run(
        [program, "verify", "--man=no", str(copy)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_manifests_are_one_of_each_kind() -> None:
    assert len(BY_KIND) == len(DOCUMENTS)
    assert {"ConfigMap", "Deployment", "Service", "NetworkPolicy"} <= set(BY_KIND)
    assert {document["metadata"]["name"] for document in DOCUMENTS} == {"vedette"}


@pytest.mark.parametrize("container", CONTAINERS, ids=[each["name"] for each in CONTAINERS])
def test_a_container_is_hardened(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert container["image"] == f"vedette:{_version()}"
    volumes = {volume["name"] for volume in POD["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def _version() -> str:
    (found,) = re.findall(r'^version = "(.+)"$', page("pyproject.toml"), re.MULTILINE)
    return str(found)


def test_the_pod_runs_as_the_images_user() -> None:
    context = POD["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in page("Dockerfile")
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is False
    assert POD["enableServiceLinks"] is False, "else variables that are no settings"


def test_the_pods_start_what_there_is_with_settings_that_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (container,) = POD["containers"]
    for variable in container["env"]:
        assert set(variable) == {"name", "valueFrom"}, "secrets come from secrets"
        monkeypatch.setenv(variable["name"], "json://receiver.example/")
    monkeypatch.setenv("VEDETTE_STORE__URL", "postgresql+psycopg://vedette@db.example/vedette")
    settings = settings_from(BY_KIND["ConfigMap"]["data"]["vedette.toml"])
    name, options = options_of(container["args"])
    assert name == "vedette run"
    assert {word for word in container["args"] if word.startswith("--")} <= options
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert [probe["path"] for probe in probes] == ["/healthz", "/healthz", "/readyz"]
    for probe in probes:
        assert probe["httpHeaders"] == [{"name": "Host", "value": settings.api.hosts[0]}]
    assert container["ports"][0]["containerPort"] == settings.api.port
    assert BY_KIND["Deployment"]["spec"]["replicas"] == 2


def test_the_secrets_that_are_named_are_made_on_the_page() -> None:
    needed = {volume["secret"]["secretName"] for volume in POD["volumes"] if "secret" in volume}
    for variable in POD["containers"][0]["env"]:
        needed.add(variable["valueFrom"]["secretKeyRef"]["name"])
    made = re.findall(r"kubectl create secret generic (\S+)", page("deployment.md"))
    assert set(made) == needed
    assert f"head -c {SECRET_BYTES} /dev/urandom" in page("deployment.md")


def test_a_backup_as_told_can_be_restored(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'vedette.db'}").dispose()
    secret = server_secret(tmp_path / "server.secret")
    (statement,) = re.findall(r'vedette\.db "(VACUUM INTO \'[^"]+\')"', page("backup.md"))
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(tmp_path / "vedette.db", isolation_level=None)) as connection:
        connection.execute(re.sub(r"'.*'", f"'{copy}'", statement))
    open_database(f"sqlite:///{copy}").dispose()
    (tmp_path / "other").mkdir()
    restored = tmp_path / "other" / "server.secret"
    shutil.copy2(tmp_path / "server.secret", restored)
    assert server_secret(restored) == secret


def measured() -> list[str]:
    text = page("performance.md")
    return sorted(set(re.findall(r"`(python -m bench[^`]*)`", text)))


@pytest.mark.parametrize("command", measured())
def test_figures_can_be_measured_again(command: str) -> None:
    module, *options = command.split()[2:]
    file = ROOT / (f"{module.replace('.', '/')}.py" if "." in module else f"{module}/__main__.py")
    told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    assert f"python -m {module}" in told
    for option in options:
        if option.startswith("--"):
            assert option in told, f"bench has no {option}"
