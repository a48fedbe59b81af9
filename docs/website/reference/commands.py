"""Every command with its arguments and options, from typer."""

from collections.abc import Iterator
from typing import Any, Final

from typer.main import get_command

from docs.website.reference.tables import code, plain, table
from vedette.cli import cli

_TOP: Final = """# Every command

As `--help` tells of them: {count} commands. What they do, with examples and exit statuses, is in
[commands](../commands.md).
"""

#: Options of the shell's completion, which every typer program has.
_OF_TYPER: Final = frozenset({"--install-completion", "--show-completion", "--help"})


def commands_page() -> str:
    """Return the page."""
    found = list(commands())
    parts = [_section(name, command) for name, command in found]
    return _TOP.format(count=len(found)) + "".join(parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command that does something, by its whole name."""
    yield from _walk("vedette", get_command(cli))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", {})
    if not below or getattr(command, "invoke_without_command", False):
        yield name, command
    for child, inner in below.items():
        if not inner.hidden:
            yield from _walk(f"{name} {child}", inner)


def _section(name: str, command: Any) -> str:
    rows = [_row(each) for each in command.params if not _hidden(each)]
    told = plain(" ".join((command.help or "").split()))
    heads = ("argument or option", "meaning", "default")
    return f"\n## {name}\n\n{told}\n" + (f"\n{table(heads, rows)}" if rows else "")


def _hidden(parameter: Any) -> bool:
    return parameter.hidden or bool(_OF_TYPER & set(parameter.opts))


def _row(parameter: Any) -> list[str]:
    if any(option.startswith("-") for option in parameter.opts):
        name = ", ".join(map(code, [*parameter.opts, *parameter.secondary_opts]))
    else:
        name = code(parameter.name.upper() + ("..." if parameter.nargs == -1 else ""))
    return [name, plain(parameter.help or ""), _default(parameter)]


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "needed"
    if value is None or value is False or value in ((), []) or callable(value):
        return ""
    return code(getattr(value, "value", value))
