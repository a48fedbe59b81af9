"""docs/commands.md has every command, option and exit status of the program."""

import re
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from tests.docs.pages import page
from vedette import failures
from vedette.cli import cli

GROUPS_WITHOUT_WORK = {
    "vedette",
    *(f"vedette {group}" for group in ("keys", "notify", "quarantine", "rules", "silences")),
    "vedette incidents label",
}


def sections() -> dict[str, str]:
    text = page("commands.md")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part for part in parts}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command with the names of its arguments and options."""
    yield from _walk("vedette", get_command(cli))


def _walk(name: str, command: object) -> Iterator[tuple[str, list[str]]]:
    names: list[str] = []
    for parameter in getattr(command, "params", []):
        long = [option for option in parameter.opts if option.startswith("--")]
        names += [
            option for option in long if not option.startswith(("--help", "--install", "--show-"))
        ]
    yield name, names
    for child, below in getattr(command, "commands", {}).items():
        yield from _walk(f"{name} {child}", below)


COMMANDS = [(name, options) for name, options in commands() if name not in GROUPS_WITHOUT_WORK]


def test_there_are_commands() -> None:
    assert {"vedette scan", "vedette incidents show"} <= {name for name, _ in COMMANDS}


@pytest.mark.parametrize(("name", "options"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_command_has_a_section_with_its_options(name: str, options: list[str]) -> None:
    section = sections().get(name)
    assert section is not None, f"docs/commands.md has no section {name!r}"
    missing = [option for option in options if f"{option}" not in section]
    assert not missing, f"docs/commands.md, {name}: {', '.join(missing)} not mentioned"


def test_no_section_is_about_a_command_that_is_not_there() -> None:
    known = {name for name, _ in COMMANDS}
    documented = {name for name in sections() if name.startswith("vedette")}
    assert documented <= known


def test_no_option_is_made_up() -> None:
    known = {option for _, options in COMMANDS for option in options} | {"--help", "--version"}
    shown = re.findall(r"--[a-z][a-z-]+", page("commands.md"))
    assert set(shown) <= known


def test_exit_statuses() -> None:
    text = page("commands.md")
    for status in (0, failures.FAILED, failures.WRONG_USE, failures.PARTLY_READ):
        assert f"| {status} |" in text
    assert f"| {failures.INTERRUPTED} |" in text


def test_the_readme_names_only_commands_that_exist() -> None:
    known = {name.split()[1] for name, _ in COMMANDS} | {"keys", "COMMAND"}
    used = re.findall(r"^\$ vedette (\S+)", page("README.md"), re.MULTILINE)
    assert used
    assert set(used) <= known


def test_make_targets() -> None:
    makefile = page("Makefile")
    targets = set(re.findall(r"^([a-z]+): ## ", makefile, re.MULTILINE))
    documented = set(re.findall(r"`make ([a-z]+)`", page("commands.md")))
    assert documented == targets


def test_typer_is_what_we_walk() -> None:
    assert isinstance(cli, typer.Typer)
