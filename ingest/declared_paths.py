"""Which path template of OpenAPI documents a path is of."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

_PARAMETER: Final = re.compile(r"\{[^{}]*\}")

#: What a segment of a template asks for: the more of a path it says, the less.
_LITERAL, _PARTIAL, _ANY = 0, 1, 2

_SEPARATOR: Final = "/"


@dataclass(frozen=True)
class _Shape:
    """Templates of as many segments, literal at the same places."""

    kinds: tuple[int, ...]
    templates: dict[str, list[tuple[str | None, str]]]  # literals -> (pattern if any, template)


class DeclaredPaths:
    """Finds templates as OpenAPI says: concrete paths before templated ones.

    Among templated ones the first that says more of the leftmost segment where two differ wins,
    then the one declared first. A parameter is one segment or part of one, and never empty; a
    last segment "{name+}" or "{name*}" is any number of segments.
    """

    def __init__(self, templates: Sequence[str]) -> None:
        shapes: dict[tuple[int, ...], _Shape] = {}
        rests: list[tuple[str, str]] = []
        for template in dict.fromkeys(templates):
            segments = template.split("/")[1:]
            if re.fullmatch(r"\{(?:[^{}]+[+*]|\+[^{}]+)\}", segments[-1]):
                rests.append((_pattern(segments[:-1], "/.+"), template))
                continue
            kinds = tuple(_kind(segment) for segment in segments)
            literals = _SEPARATOR.join(
                segment for segment, kind in zip(segments, kinds, strict=True) if kind == _LITERAL
            )
            pattern = _pattern(segments, "") if _PARTIAL in kinds else None
            shape = shapes.setdefault(kinds, _Shape(kinds, {}))
            shape.templates.setdefault(literals, []).append((pattern, template))
        self._shapes = [shapes[kinds] for kinds in sorted(shapes)]
        # Of two, the one with more before its rest is looked at first.
        self._rests = sorted(rests, key=lambda rest: -rest[1].count("/"))

    def match(self, paths: pl.Series) -> pl.Series:
        """Return the template of each path, null where there is none."""
        found = pl.Series("template", [None], dtype=pl.String).new_from_index(0, len(paths))
        counts = paths.str.count_matches("/", literal=True)
        rooted = paths.str.starts_with("/")
        for shape in self._shapes:
            open_ = rooted & (counts == len(shape.kinds)) & found.is_null()
            at = open_.fill_null(value=False).arg_true()
            if len(at):
                found = found.scatter(at, _of_shape(shape, paths.gather(at)))
        for pattern, template in self._rests:
            at = (found.is_null() & paths.str.contains(pattern)).fill_null(value=False).arg_true()
            if len(at):
                found = found.scatter(at, template)
        return found


def _of_shape(shape: _Shape, paths: pl.Series) -> pl.Series:
    """Return the templates of one shape for paths of as many segments."""
    frame = paths.rename("path").to_frame()
    places = [place for place, kind in enumerate(shape.kinds) if kind == _LITERAL]
    split = pl.col("path").str.split("/")
    literals = pl.concat_str((split.list.get(place + 1) for place in places), separator="/")
    frame = frame.with_columns(key=literals if places else pl.lit(""))
    full = (
        pl.all_horizontal(
            split.list.get(place + 1) != ""
            for place, kind in enumerate(shape.kinds)
            if kind != _LITERAL
        )
        if len(places) < len(shape.kinds)
        else pl.lit(value=True)
    )
    first = {
        key: candidates[0][1]
        for key, candidates in shape.templates.items()
        if candidates[0][0] is None
    }
    key = pl.col("key")
    plain = (
        key.replace_strict(list(first), list(first.values()), default=None, return_dtype=pl.String)
        if first
        else pl.lit(None, pl.String)
    )
    tried = [
        pl.when((key == text) & pl.col("path").str.contains(pattern)).then(pl.lit(template))
        for text, candidates in shape.templates.items()
        for pattern, template in candidates
        if pattern is not None
    ]
    return frame.select(template=pl.when(full).then(pl.coalesce(*tried, plain))).to_series()


def _kind(segment: str) -> int:
    if not _PARAMETER.search(segment):
        return _LITERAL
    return _ANY if _PARAMETER.fullmatch(segment) else _PARTIAL


def _pattern(segments: Sequence[str], rest: str) -> str:
    """Return a regex of whole paths, in Rust's syntax."""
    return "^" + "".join(f"/{''.join(_parts(segment))}" for segment in segments) + rest + "$"


def _parts(segment: str) -> Iterator[str]:
    at = 0
    for parameter in _PARAMETER.finditer(segment):
        yield re.escape(segment[at : parameter.start()]) + "[^/]+"
        at = parameter.end()
    yield re.escape(segment[at:])
