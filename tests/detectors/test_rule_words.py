"""Words in the built-in rules that are also the beginnings of innocent ones."""

from typing import Any

import pytest

from detectors.catalogue import load_catalogue
from detectors.selecting import Selections
from tests.detectors.streams import event, frame

PARTS = {
    source.part.name: source.part
    for rule in load_catalogue().rules
    for series in rule.every_series()
    for source in series.sources
}


def accepted(name: str, **fields: Any) -> bool:
    """Whether a plain rule takes an event of these fields."""
    part = PARTS[name]
    return bool(len(Selections([part]).rows(frame([event(**fields)]))[part]))


@pytest.mark.parametrize(
    ("name", "attack", "innocent"),
    [
        ("path_traversal", "f=config/sam", "f=config/sample.yml"),
        ("path_traversal", "f=system32/config/sam.bak", "f=myconfig/same"),
        ("path_traversal", "f=c:/windows/win.ini", "f=darwin.ini"),
        ("path_traversal", "f=win.ini", "f=twin.ini"),
        ("path_traversal", "f=c:%5Cwindows%5Cwin.ini", "f=settings/pinguwin.ini"),
        ("exploit_probe", "type=rau", "type=raumplan"),
        ("exploit_probe", "a=1&type=rau&b=2", "subtype=rau"),
        ("server_side_request_forgery", "u=http://lvh.me/", "u=www.silvh.me"),
        ("server_side_request_forgery", "u=http://a.lvh.me:80/", "mail=salvh.men@example.org"),
    ],
)
def test_words_of_attacks_begin_and_end(name: str, attack: str, innocent: str) -> None:
    assert accepted(name, path="/x", query=attack)
    assert not accepted(name, path="/x", query=innocent)


@pytest.mark.parametrize("name", ["write_request", "anonymous_write_request"])
@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/collections/7", True),
        ("/rumours", True),
        ("/g/collect", False),
        ("/collect/v2", False),
        ("/rum", False),
        ("/rum/events", False),
    ],
)
def test_what_pages_tell_about_themselves_is_no_change(name: str, path: str, counts: bool) -> None:
    assert accepted(name, method="POST", path=path) is counts


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/partners/17", True),
        ("/participants/17", True),
        ("/stores/1/payouts/17", True),
        ("/films/1/part/17", False),
        ("/films/1/seg-17", False),
        ("/films/1/segments/17", False),
    ],
)
def test_pieces_are_no_objects_but_partners_are(path: str, counts: bool) -> None:
    route = f"GET {path.removesuffix('17')}{{id}}"
    assert accepted("numbered_object_request", user="u", path=path, route=route) is counts
