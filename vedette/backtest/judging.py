"""What settings find in a log: from what is kept of it, and what must be counted anew."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from detectors.catalogue import Catalogue
from detectors.counts import RuleCounts, judged, lowered, shape_of
from detectors.findings import Finding, merge_runs
from detectors.gathering import Gathered, gathered
from detectors.health import SourceHealth
from detectors.learned.families import Families
from detectors.rules import Rule
from ingest.enrichment import Enrichment
from ingest.logs import STDIN_PATH, InputProblem, find_logs
from ingest.reader import LogReader
from ingest.sources import FileSource
from vedette.backtest.cache import Cache, code_version
from vedette.backtest.columns import LEARNED, columns_of
from vedette.backtest.counting import Counted, Wanted, count
from vedette.backtest.stored_log import About, LogWriter, StoredLog
from vedette.detecting import families_of
from vedette.rules import catalogue_of
from vedette.settings import Settings, SettingsError
from vedette.sources import enrichment_of, sources_for

#: The share of a limit from which on a rule is counted, so that lower ones can be asked about.
_LOW = 4


@dataclass(frozen=True, slots=True)
class Side:
    """Settings, the rules that they make, and what these find in a log (final findings)."""

    settings: Settings = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    about: About
    findings: tuple[Finding, ...] = field(repr=False)
    log: StoredLog = field(repr=False)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted of a log for some rules, by shape."""

    about: About
    by_shape: Mapping[str, RuleCounts] = field(repr=False)


@dataclass(slots=True)
class Progress:
    """What happens meanwhile: called with what is done now, and with bytes or batches of a total.

    `begin` is told what is done and of how many, `advance` how many are done.
    """

    begin: Callable[[str, int | None], None] = lambda _what, _total: None
    advance: Callable[[int], None] = lambda _done: None


class Judge:
    """Judges logs under settings. What it reads and counts stays in the cache.

    `problems` tell which inputs could not be read: then nothing is kept of them. `notes` say what
    had to be done anew and why, `evicted` which rules had to forget entities for lack of room.
    """

    def __init__(
        self,
        files: Sequence[str],
        cache: Cache,
        secret: bytes,
        *,
        log_format: str = "auto",
        progress: Progress | None = None,
    ) -> None:
        if STDIN_PATH in files:
            raise SettingsError("a back-test may read a log twice: name files, not standard input")
        self.problems: list[InputProblem] = []
        self.notes: list[str] = []
        self.evicted: dict[str, int] = {}
        self._files = tuple(files)
        self._format = log_format
        self._cache = cache
        self._secret = secret
        self._progress = progress or Progress()
        self._used: set[str] = set()

    def sides(
        self, all_settings: Sequence[Settings], lows: Mapping[str, int] | None = None
    ) -> list[Side]:
        """Return what each of some settings finds; logs that they read alike are read once.

        `lows` are limits that rules may be asked about later, by their names. Raises the errors
        of settings and rules, and OSError.
        """
        plans = [_Plan.of(self, each, lows or {}) for each in all_settings]
        alike: dict[str, list[_Plan]] = {}
        for plan in plans:
            alike.setdefault(plan.key, []).append(plan)
        logs = {key: self._prepared(theirs) for key, theirs in alike.items()}
        found = [plan.side(*logs[plan.key]) for plan in plans]
        self._cache.trim(sparing=frozenset(self._used))
        return found

    def sweep(self, settings: Settings, rules: Mapping[str, Rule]) -> Counts:
        """Return the counts of some rules by shape (`sweeping.counted_for`), and no more.

        Where the log is not kept yet, all else is counted as well while it is read.
        """
        plan = _Plan.of(self, settings, {}, rules)
        stored, known = self._prepared([plan])
        self._cache.trim(sparing=frozenset(self._used))
        return Counts(stored.about, {shape: known[shape] for shape in rules})

    def counts(self, side: Side, rule: Rule) -> RuleCounts:
        """Return what was counted of a rule of a side; raises KeyError if it was not."""
        found = side.log.counts(code_version("detectors"), shape_of(rule))
        if found is None:
            raise KeyError(rule.name)
        return found

    def _prepared(self, plans: "Sequence[_Plan]") -> tuple[StoredLog, dict[str, RuleCounts]]:
        """Return the log, all that the plans want of it counted, and the counts by shape."""
        key, version = plans[0].key, code_version("detectors")
        self._used.add(key)
        stored = self._cache.find(key)
        needed = _needed(plans, whole=stored is None)
        known: dict[str, RuleCounts] = {}
        if stored is not None:
            found = ((shape, stored.counts(version, shape)) for shape in needed)
            known = {shape: c for shape, c in found if c and needed[shape].met_by(c)}
        families = {
            plan.families.signature: plan.families
            for plan in plans
            if plan.families.detectors
            and (stored is None or plan.only is None)
            and (stored is None or stored.learned(version, plan.families.signature) is None)
        }
        rules = {shape: each.low for shape, each in needed.items() if shape not in known}
        wanted = Wanted(rules, families)
        if stored is not None and wanted.nothing:
            return stored, known
        if stored is None or not self._can_count(stored, wanted):
            stored, counted = self._read(plans[0], wanted, stored)
        else:
            counted = self._recount(stored, wanted)
        self.evicted |= counted.evicted
        stored.keep_counts(version, counted.counts)
        for signature, findings in counted.learned.items():
            stored.keep_learned(version, signature, findings)
        return stored, known | dict(counted.counts)

    def _can_count(self, stored: StoredLog, wanted: Wanted) -> bool:
        """Whether masked events tell all that is wanted; say so if they do not."""
        hidden = sorted(_columns_of(wanted) & stored.about.altered)
        if hidden:
            self.notes.append(
                f"The log is read again: {', '.join(hidden)} had to be masked in what is kept of"
                " it, and new counts look at that."
            )
        return not hidden

    def _recount(self, stored: StoredLog, wanted: Wanted) -> Counted:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            self._progress.advance(done)

        self._progress.begin("Counting", len(stored.about.batches))
        return count(stored.batches(_columns_of(wanted)), wanted, advance)

    def _read(
        self, plan: "_Plan", wanted: Wanted, stored: StoredLog | None
    ) -> tuple[StoredLog, Counted]:
        """Read the log itself; keep it, unless that was done before."""
        reader = LogReader(plan.sources, enrichment=plan.enrichment)
        writer = self._cache.begin(plan.key) if stored is None else None
        self._progress.begin("Reading", reader.progress.bytes_total)
        try:
            batches = _written(gathered(reader.batches()), writer)
            counted = count(
                batches, wanted, lambda: self._progress.advance(reader.progress.bytes_read)
            )
            self.problems += reader.problems
            if writer is not None:
                writer.lines = reader.tally.lines
                unchanged = plan.key == _key(plan.settings, plan.sources, plan.enrichment, self)
                whole = unchanged and not reader.problems
                stored = self._cache.keep(plan.key, writer, whole=whole)
                self._used.add(stored.folder.name)
                if not unchanged:
                    self.notes.append("The log changed while it was read: it is not kept.")
        except BaseException:
            if writer is not None:
                self._cache.drop(writer)
            raise
        if stored is None:
            raise AssertionError("a log is either kept already or written now")
        return stored, counted


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one side needs: how the log is read, what is counted, and with what limits."""

    settings: Settings
    catalogue: Catalogue
    families: Families
    sources: Sequence[FileSource]
    enrichment: Enrichment
    key: str
    lows: Mapping[str, int]
    only: Mapping[str, Rule] | None

    @classmethod
    def of(
        cls,
        judge: "Judge",
        settings: Settings,
        lows: Mapping[str, int],
        only: Mapping[str, Rule] | None = None,
    ) -> "_Plan":
        sources = sources_for(judge._files, settings, judge._format)  # noqa: SLF001
        enrichment = enrichment_of(settings, judge._secret)  # noqa: SLF001
        return cls(
            settings,
            catalogue_of(settings),
            families_of(settings),
            sources,
            enrichment,
            _key(settings, sources, enrichment, judge),
            lows,
            only,
        )

    def side(self, stored: StoredLog, counts: Mapping[str, RuleCounts]) -> Side:
        found = [f for rule in self.catalogue.rules for f in judged(rule, counts[shape_of(rule)])]
        health = SourceHealth(self.settings.detectors)
        found += health.judge(stored.readings()) + health.finish()
        if self.families.detectors:
            version = code_version("detectors")
            found += stored.learned(version, self.families.signature) or ()
        findings = tuple(merge_runs([], found))
        return Side(self.settings, self.catalogue, stored.about, findings, stored)


@dataclass(frozen=True, slots=True)
class _Needed:
    """A rule as it is to be counted, and the least limit that has to be judged now."""

    low: Rule
    least: int

    def met_by(self, counts: RuleCounts) -> bool:
        """Whether what was counted before tells enough."""
        return counts.floor is None or counts.floor <= self.least

    def __and__(self, other: "_Needed") -> "_Needed":
        """Return what serves both."""
        low = min(self.low, other.low, key=lambda rule: rule.threshold)
        return _Needed(low, min(self.least, other.least))


def _columns_of(wanted: Wanted) -> frozenset[str]:
    """Return the columns that are looked at to count what is wanted."""
    columns = columns_of(wanted.rules.values())
    return columns | LEARNED if wanted.families else columns


def _needed(plans: "Sequence[_Plan]", *, whole: bool) -> dict[str, _Needed]:
    """Return what must be counted for all plans, by shape.

    `whole`: all rules of plans that ask only for some.
    """
    needed: dict[str, _Needed] = {}
    for plan in plans:
        every = [] if plan.only is None else [_Needed(r, r.threshold) for r in plan.only.values()]
        if whole or plan.only is None:
            every += [_of_rule(rule, plan.lows) for rule in plan.catalogue.rules]
        for each in every:
            other = needed.get(each.low.name)
            needed[each.low.name] = each if other is None else each & other
    return needed


def _of_rule(rule: Rule, lows: Mapping[str, int]) -> _Needed:
    least = min(rule.threshold, lows.get(rule.name, rule.threshold))
    low = lowered(rule, max(min(low_limit(rule.threshold), least), 1))
    return _Needed(low, max(least, low.threshold))


def low_limit(threshold: int) -> int:
    """Return from which limit on a rule is counted, unless somebody asks about lower ones."""
    return max(min(threshold, 2), threshold // _LOW)


def _written(batches: Iterator[Gathered], writer: LogWriter | None) -> Iterator[Gathered]:
    for each in batches:
        if writer is not None:
            writer.add(each)
        yield each


def _key(
    settings: Settings, sources: Sequence[FileSource], enrichment: Enrichment, judge: Judge
) -> str:
    """Return a hash of all that decides what events the logs become."""
    logs = [log for source in sources for log in find_logs(source.paths)[0]]
    told = (
        [log.name for log in logs],
        judge._cache.digests.of(file for log in logs for file in log.files),  # noqa: SLF001
        [source.model_dump_json(exclude={"paths"}) for source in sources],
        enrichment.fingerprint,
        sorted(settings.privacy.pseudonymise),
        hmac.digest(judge._secret, b"vedette back-test", "sha256").hex(),  # noqa: SLF001
        code_version("ingest"),
    )
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
