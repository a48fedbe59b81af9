"""Templates of messages: our own, and files of users in a sandbox."""

import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import BaseLoader, PackageLoader, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.messages.escaping import Format, finalise

#: Filters that would print text without the channel's escape.
_UNSAFE_FILTERS: Final = frozenset({"safe", "urlize", "tojson", "xmlattr", "escape", "e"}) | {
    "forceescape"
}

#: What the code of a template can raise while it runs.
_FAILURES: Final = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)

_FILE_LIMIT: Final = 64_000


class BadTemplate(ValueError):  # noqa: N818 - a template that is bad, not an error of ours
    """A user's template cannot be used; the message names the file, the line and the reason."""


def rendered(kind: Format, context: dict[str, Any]) -> str:
    """Return the built-in template's text."""
    return _tidy(_builtin(kind).render(context))


def rendered_file(path: Path, kind: Format, context: dict[str, Any]) -> str:
    """Return the text of a user's template. Raises BadTemplate."""
    template = _file(path, kind)
    try:
        text = _tidy(template.render(context))
    except _FAILURES as error:
        line = _line(error, str(path))
        raise BadTemplate(f"template {path}, line {line}: {_reason(error)}") from error
    if not text:
        raise BadTemplate(f"template {path}: it says nothing; write what the message shall say")
    return text


def _file(path: Path, kind: Format) -> Template:
    try:
        if path.stat().st_size > _FILE_LIMIT:
            raise BadTemplate(f"template {path}: larger than {_FILE_LIMIT:,} bytes")
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadTemplate(f"template {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadTemplate(f"template {path}: is not UTF-8") from error
    return _compiled(source, path, kind)


@lru_cache(maxsize=64)
def _compiled(source: str, path: Path, kind: Format) -> Template:
    environment = _environment(kind, None)
    try:
        code = environment.compile(source, name=path.name, filename=str(path))
    except TemplateError as error:
        line = getattr(error, "lineno", None) or 1
        raise BadTemplate(f"template {path}, line {line}: {_reason(error)}") from error
    return Template.from_code(environment, code, environment.globals)


@lru_cache(maxsize=8)
def _builtin(kind: Format) -> Template:
    loader = PackageLoader("alerts.messages", "builtin")
    return _environment(kind, loader).get_template(f"{kind}.j2")


def _environment(kind: Format, loader: BaseLoader | None) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=kind == "html",
        finalize=finalise(kind),
        keep_trailing_newline=False,
        loader=loader,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    for name in _UNSAFE_FILTERS:
        environment.filters.pop(name, None)
    return environment


def _tidy(text: str) -> str:
    """Return the text without blank ends and without more than one blank line in a row."""
    lines: list[str] = []
    for line in text.strip().split("\n"):
        if line.strip() or (lines and lines[-1]):
            lines.append(line if line.strip() else "")
    return "\n".join(lines)


def _line(error: BaseException, path: str) -> int:
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == path), 1)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
