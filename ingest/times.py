"""Times as logs write them, read into UTC microseconds; and as everybody is shown them."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from ingest.events import UTC_TIME
from ingest.uniform_times import uniform_times

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLF: Final = "%d/%b/%Y:%H:%M:%S%z"
_CLF_FRACTION: Final = "%d/%b/%Y:%H:%M:%S%.f%z"
_CLF_LOCAL: Final = "%d/%b/%Y:%H:%M:%S%.f"
_ISO: Final = "%Y-%m-%dT%H:%M:%S%.f%z"
_LOCAL: Final = "%Y-%m-%dT%H:%M:%S%.f"
_FRACTIONAL: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}[.,][0-9]{1,9}"
    r"(?:[zZ]|[+-][0-9]{2}:?[0-9]{2})?$"
)
_SECOND: Final = 19
_MICRO_DIGITS: Final = 6
_NUMBER: Final = r"^-?[0-9]{1,20}(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,2})?$"

#: Epoch numbers from here up are milliseconds, microseconds, nanoseconds.
_SCALES: Final = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))
_NANOSECONDS: Final = 1e-3
_FARTHEST_US: Final = 9_000_000_000_000_000_000


def microseconds(time: datetime) -> int:
    """Return microseconds since 1970 (UTC), exactly; `time` has a time zone."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """Return the time (UTC) that is so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


def iso(time: datetime) -> str:
    """Write a time as ISO 8601 in UTC with Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def clf_times(texts: pl.Series) -> pl.Series:
    """Read "[02/Nov/2026:08:00:00+0000]" as UTC; unreadable becomes null.

    Each run of equal texts is read once: neighbouring lines share their second.
    """
    runs = texts.rle().struct.unnest()
    times = runs["value"].str.to_datetime(f"[{_CLF}]", time_unit="us", strict=False)
    return times[np.repeat(np.arange(len(runs)), runs["len"].to_numpy())].cast(UTC_TIME)


def parse_times(times: pl.Series, timezone: str = "UTC") -> pl.Series:
    """Read times of any known form as UTC microseconds; unreadable becomes null.

    Forms: "02/Nov/2026:08:00:00 +0000" (also with a fraction), ISO 8601 (blank or T, slashes in
    the date, fraction with point or comma, Z or offset), epoch seconds, milliseconds, microseconds
    or nanoseconds, told apart by size. Without an offset it is a time of the IANA zone `timezone`.
    Each distinct text is read once, and by itself: neighbours do not matter.
    """
    texts = times.cast(pl.String)
    uniform = uniform_times(texts)
    if uniform is not None:
        return pl.Series(times.name, uniform).cast(UTC_TIME)
    fractional = texts.str.contains(_FRACTIONAL)
    if not fractional.any():
        return _each_distinct(texts, timezone)
    if fractional.all():  # but for nulls
        return _by_seconds(texts, timezone)
    lanes = pl.DataFrame({"text": texts, "fractional": fractional}).select(
        fast=pl.when("fractional").then("text"), slow=pl.when(~pl.col("fractional")).then("text")
    )
    return lanes.select(
        pl.coalesce(
            _by_seconds(lanes["fast"], timezone), _each_distinct(lanes["slow"], timezone)
        ).alias(times.name)
    ).to_series()


def _by_seconds(texts: pl.Series, timezone: str) -> pl.Series:
    """Read ISO times with a fraction: few seconds, each read once, and many fractions.

    Times with a fraction are mostly distinct, but neighbouring lines share their second.
    """
    lengths = texts.str.len_bytes().cast(pl.Int64)
    least, most = lengths.min(), lengths.max()
    seconds = texts.str.head(_SECOND)
    if least == most and texts.str.ends_with("Z").all():
        micros = _micros(texts, lengths - (_SECOND + 2))
        seconds = _distinct_seconds(seconds, "+00:00", timezone)
    else:
        zones = texts.str.slice(_SECOND + 1).str.strip_chars_start("0123456789")
        micros = _micros(texts, lengths - zones.str.len_bytes().cast(pl.Int64) - (_SECOND + 1))
        seconds = _distinct_seconds(seconds + zones, "", timezone)
    return (seconds + micros.cast(pl.Duration("us"))).rename(texts.name)


def _micros(texts: pl.Series, digits: pl.Series) -> pl.Series:
    """Return the microseconds of fractions with so many digits, more than six cut off."""
    frame = pl.DataFrame({"text": texts, "digits": digits})
    shown = pl.col("text").str.slice(_SECOND + 1, pl.col("digits").clip(upper_bound=_MICRO_DIGITS))
    lacking = (_MICRO_DIGITS - pl.col("digits")).clip(0, _MICRO_DIGITS)
    scale = frame.select(pl.lit(10, pl.Int64).pow(lacking)).to_series()
    if digits.min() == digits.max():
        scale = scale.drop_nulls().head(1)
    return frame.select(shown.cast(pl.Int64)).to_series() * scale


def _distinct_seconds(texts: pl.Series, zone: str, timezone: str) -> pl.Series:
    """Read ISO times without fraction, each run of equal ones once.

    Times end in a zone ("Z", "z" or an offset), or are all in `zone`, or in `timezone`.
    """
    runs = texts.rle().struct.unnest()
    clock = pl.col("value").str.slice(11).str.replace("[zZ]$", "+00:00")
    clean = pl.concat_str(pl.col("value").str.head(10), pl.lit("T"), clock, pl.lit(zone))
    there = pl.col("value").str.to_datetime(_ISO, time_unit="us", strict=False)
    local = pl.col("value").str.to_datetime(_LOCAL, time_unit="us", strict=False)
    read = runs.select(clean).select(pl.coalesce(there, _placed(local, timezone)).cast(UTC_TIME))
    return read.to_series()[np.repeat(np.arange(len(runs)), runs["len"].to_numpy())]


def _each_distinct(texts: pl.Series, timezone: str) -> pl.Series:
    """Read each distinct text once."""
    distinct = texts.drop_nulls().unique().rename("text")
    frame = distinct.to_frame().with_columns(pl.col("text").str.strip_chars().alias("clean"))
    numbers = frame["clean"].str.contains(_NUMBER)
    lanes = [frame.filter(numbers).with_columns(_epoch().alias("time"))]
    if not numbers.all():
        read = pl.coalesce(_clf(timezone), _iso(timezone)).dt.cast_time_unit("us")
        lanes.append(frame.filter(~numbers).with_columns(read.cast(UTC_TIME).alias("time")))
    known = pl.concat(lanes).select("text", "time")
    wanted = texts.rename("text").to_frame()
    joined = wanted.join(known, on="text", how="left", maintain_order="left")
    return joined["time"].cast(UTC_TIME).rename(texts.name)


def _clf(timezone: str) -> pl.Expr:
    text = pl.col("clean").str.strip_chars("[]").str.replace(" ", "", literal=True)
    slashed = pl.when(text.str.contains("^[0-9]{2}/[A-Za-z]{3}/")).then(text)
    plain = slashed.str.to_datetime(_CLF, time_unit="us", strict=False)
    odd = pl.when(plain.is_null()).then(slashed)
    zoned = odd.str.to_datetime(_CLF_FRACTION, time_unit="us", strict=False)
    local = odd.str.to_datetime(_CLF_LOCAL, time_unit="us", strict=False)
    return pl.coalesce(plain, zoned, _placed(local, timezone))


def _placed(local: pl.Expr, timezone: str) -> pl.Expr:
    placed = local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
    return placed.dt.convert_time_zone("UTC")


def _iso(timezone: str) -> pl.Expr:
    text = (
        pl.col("clean")
        .str.replace(r"^(\d{4})[/-](\d\d)[/-](\d\d)[T ]", "${1}-${2}-${3}T")
        .str.replace(",", ".", literal=True)
        .str.replace(r" ?[zZ]$| ?UTC$", "+00:00")
        .str.replace(r"(\.\d{6})\d+", "$1")
        .str.replace(r"T(\d\d:\d\d)(Z|[+-]|$)", "T$1:00$2")
        .str.replace(r" ([+-]\d\d:?\d\d)$", "$1")
    )
    zoned = text.str.contains(r"[+-]\d\d:?\d\d$")
    there = pl.when(zoned).then(text).str.to_datetime(_ISO, time_unit="us", strict=False)
    local = pl.when(~zoned).then(text).str.to_datetime(_LOCAL, time_unit="us", strict=False)
    return pl.coalesce(there, _placed(local, timezone))


def _epoch() -> pl.Expr:
    number = pl.col("clean").cast(pl.Float64, strict=False)
    scale = pl.lit(_NANOSECONDS)
    for limit, factor in reversed(_SCALES):
        scale = pl.when(number.abs() < limit).then(pl.lit(factor)).otherwise(scale)
    microseconds = (number * scale).round()
    sane = microseconds.abs() < _FARTHEST_US
    return pl.when(sane).then(microseconds).cast(pl.Int64, strict=False).cast(UTC_TIME)
