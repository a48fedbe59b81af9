"""From raw lines to events: wrappers, mixed formats, what is ignored, clients, keys, pseudonyms."""

import json
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.enrichment import Enrichment
from ingest.lines import Lines
from ingest.normalising import Normaliser, Read
from ingest.partitions import Tally
from ingest.pseudonyms import Pseudonyms
from ingest.reader import LogReader, events_of
from ingest.records import Records
from ingest.sources import FileSource

SECRET = bytes(32)
COMBINED = '203.0.113.7 - - [02/Nov/2026:08:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl"'
JSON = '{"time": "2026-11-02T08:00:01Z", "remote_addr": "203.0.113.8", "uri": "/b", "status": 404}'
IIS = "2026-11-02 08:00:00 10.0.0.1 GET /c - 443 - 203.0.113.9 curl - 200 0 0 12"


def read(*lines: str, enrichment: Enrichment | None = None, **source: Any) -> Read:
    block = Lines.of("".join(line + "\n" for line in lines).encode())
    detected = source.pop("detected", "combined")
    normaliser = Normaliser(
        FileSource(paths=("a",), **source), "a", enrichment or Enrichment(pseudonyms=None)
    )
    return normaliser.read(Records(block, block.starts), detected)


def reasons(found: Read) -> dict[str, int]:
    return {reject.reason: len(reject.positions) for reject in found.rejects}


def test_lines_of_other_formats_are_read_too() -> None:
    found = read(COMBINED, JSON, "hello")
    assert found.events["path"].to_list() == ["/a", "/b"]
    assert reasons(found) == {"unparsed": 1}
    assert found.lines == 3


def test_a_format_that_is_set_is_the_only_one() -> None:
    found = read(COMBINED, JSON, format="combined")
    assert found.events["path"].to_list() == ["/a"]
    assert reasons(found) == {"unparsed": 1}


def test_wrapped_lines_come_out_with_what_the_wrapper_says() -> None:
    shipped = {
        "log": COMBINED + "\n",
        "kubernetes": {"labels": {"app": "shop"}, "namespace_name": "live"},
    }
    partial = "2026-11-02T08:00:00.123456789Z stdout P " + COMBINED[:40]
    whole = "2026-11-02T08:00:00.123456789Z stdout F " + COMBINED
    found = read(json.dumps(shipped), partial, whole, COMBINED)
    assert found.events.select("service", "client_ip").rows() == [
        ("shop", "203.0.113.7"),
        (None, "203.0.113.7"),
        (None, "203.0.113.7"),
    ]
    assert reasons(found) == {"partial": 1}
    assert found.lines == 4


def test_a_source_names_the_service_where_nothing_else_does() -> None:
    shipped = json.dumps({"log": COMBINED, "service": {"name": "shop"}})
    found = read(shipped, COMBINED, service="edge")
    assert found.events["service"].to_list() == ["shop", "edge"]
    assert found.events["route"].to_list() == ["shop GET /a", "edge GET /a"]


def test_ignored_lines_are_counted_apart() -> None:
    found = read("DEBUG starting", COMBINED, "", "oops", ignore=["^DEBUG ", "^INFO "])
    assert (found.ignored, found.blank, found.events.height) == (1, 1, 1)
    assert reasons(found) == {"unparsed": 1}
    assert found.lines == 4


def test_what_can_be_read_is_not_ignored() -> None:
    """Else whoever knows the pattern asks for it in a path, and is not seen."""
    attack = COMBINED.replace("/a", "/a?x=DEBUG")
    found = read(attack, "a DEBUG line", ignore=["DEBUG"])
    assert found.events["query"].to_list() == ["x=DEBUG"]
    assert found.ignored == 1


def test_directives_say_what_the_lines_below_them_hold(tmp_path: Path) -> None:
    log = tmp_path / "u_ex.log"
    fields = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
    fields += " cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken"
    other = "#Fields: date time c-ip cs-method cs-uri-stem sc-status"
    lines = ["#Software: x", fields, IIS, other, "2026-11-02 08:00:01 203.0.113.9 GET /d 404"]
    log.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    for size in (1 << 20, 200, 30):  # the directive may be in a chunk before
        reader = LogReader([FileSource(paths=(str(log),))], chunk_bytes=size)
        events = events_of(reader.batches())
        assert events.select("path", "status").rows() == [("/c", 200), ("/d", 404)]
        assert (reader.tally.ignored, reader.tally.quarantine.total) == (3, 0)


def test_a_proxy_that_is_trusted_names_the_client() -> None:
    line = '{"time": "2026-11-02T08:00:01Z", "remote_addr": "10.0.0.1", "uri": "/b", "status": 200,'
    line += ' "http_x_forwarded_for": "6.6.6.6, 198.51.100.3"}'
    (trusting,) = read(line, trusted_proxies=["10.0.0.0/8"]).events.to_dicts()
    (wary,) = read(line).events.to_dicts()
    assert (trusting["client_ip"], trusting["client_network"]) == (
        "198.51.100.3",
        "198.51.100.0/24",
    )
    assert wary["client_ip"] == "10.0.0.1"


def test_api_keys_are_only_ever_hashes() -> None:
    line = '{"time": "2026-11-02T08:00:01Z", "uri": "/b", "status": 200, "api_key": "hunter22"}'
    (known,) = read(line, enrichment=Enrichment(pseudonyms=Pseudonyms(SECRET))).events.to_dicts()
    (unknown,) = read(line).events.to_dicts()
    assert known["api_key"].startswith("key-")
    assert unknown["api_key"] is None
    assert "hunter22" not in str([known, unknown])


def test_people_are_pseudonyms_if_the_settings_say_so() -> None:
    shared = Enrichment(pseudonyms=Pseudonyms(SECRET, frozenset({"client_ip", "user"})))
    line = COMBINED.replace("- - [", "- alice [")
    (event,) = read(line, enrichment=shared).events.to_dicts()
    assert event["client_ip"].startswith("client-")
    assert event["client_network"].startswith("network-")
    assert event["user"].startswith("user-")
    tally = Tally.under(shared)
    lines = Lines.of(b"alice from 203.0.113.7 was here\n")
    tally.quarantine.add("a", "unparsed", lines.starts, lines)
    assert "alice" not in str(tally.quarantine.groups())
    assert "203.0.113.7" not in str(tally.quarantine.groups())


KINDS = [COMBINED, JSON, IIS, "", "# a comment", "#Version: 1.0", "noise", "\\x16\\x03", "{}"]
KINDS += [json.dumps({"log": line, "stream": "stdout"}) for line in (COMBINED, JSON, "noise", "")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(KINDS), max_size=12), st.sampled_from(["combined", "json", None]))
def test_every_line_has_one_outcome_of_its_own(lines: list[str], detected: str | None) -> None:
    together = read(*lines, detected=detected)
    assert together.lines == len(lines)
    rejected = sum(len(reject.positions) for reject in together.rejects)
    assert together.events.height + rejected + together.blank + together.ignored == len(lines)
    alone = [read(line, detected=detected).events for line in lines]
    columns = pl.exclude("position")
    expected = pl.concat([together.events.clear(), *alone])
    assert together.events.select(columns).equals(expected.select(columns))
