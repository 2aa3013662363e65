"""What an index is asked, and what becomes of its answers, with a fake network."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from venvgrid.model import InfrastructureError
from venvgrid.resolving import index
from venvgrid.resolving.index import Index, Page

if TYPE_CHECKING:
    from pathlib import Path

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=UTF-8"
FILES: list[dict[str, Any]] = [
    {"filename": "attrs-21.1.0.tar.gz", "upload-time": "2021-05-06T10:00:00Z", "requires-python": ">=3.6"},
    {"filename": "attrs-21.1.0-py3-none-any.whl", "upload-time": "2021-05-06T09:00:00Z", "requires-python": ">=3.6"},
    {"filename": "attrs-22.1.0.tar.gz", "upload-time": "2022-07-28T10:00:00Z"},
    {"filename": "attrs-22.1.1-py3-none-any.whl", "upload-time": "2022-07-29T10:00:00Z", "yanked": "broken"},
    {"filename": "attrs-nonsense.whl"},
    {"filename": "attrs-extra-1.0.tar.gz"},
]


def simple(files: list[dict[str, Any]]) -> Page:
    whole = [{"url": f"https://files/{item['filename']}", "hashes": {}, **item} for item in files]
    data = {"meta": {"api-version": "1.1"}, "name": "attrs", "files": whole}
    return Page(status=200, kind=JSON, text=json.dumps(data))


@dataclass
class Network:
    """Answers by address; an address that is not there has no project. Counts what it is asked."""

    pages: dict[str, Any]
    asked: list[str] = field(default_factory=list)

    def __call__(self, address: str, accept: str) -> Page:
        assert accept
        self.asked.append(address)
        page = self.pages.get(address, Page(status=404, kind="", text=""))
        if isinstance(page, list):
            page = page.pop(0) if len(page) > 1 else page[0]
        if isinstance(page, Exception):
            raise page
        assert isinstance(page, Page)
        return page


def made(tmp_path: Path, network: Network, *addresses: str) -> Index:
    return Index(
        addresses=addresses or ("https://one/simple",),
        cache=tmp_path,
        get=network,
        clock=lambda: 1000.0,
        wait=lambda _seconds: None,
    )


def test_releases_are_grouped_and_yanked_ones_are_out(tmp_path: Path) -> None:
    """The day is that of the first file; names of files that are no distributions of the project are passed over."""
    found = made(tmp_path, Network({"https://one/simple/attrs/": simple(FILES)})).releases("Attrs")
    shown = [(item.version, f"{item.uploaded:%Y-%m-%d %H}", item.requires_python, item.has_wheel) for item in found]
    assert [("21.1.0", "2021-05-06 09", ">=3.6", True), ("22.1.0", "2022-07-28 10", "", False)] == shown


def test_an_index_of_html_pages_is_read_too(tmp_path: Path) -> None:
    """Its dates come from the JSON API beside it; without that they are unknown."""
    page = (
        '<!DOCTYPE html><html><body><a href="attrs-21.1.0.tar.gz" data-requires-python="&gt;=3.6">a</a></body></html>'
    )
    network = Network({"https://one/simple/attrs/": Page(status=200, kind=HTML, text=page)})
    assert [None] == [item.uploaded for item in made(tmp_path / "a", network).releases("attrs")]
    answer = {"releases": {"21.1.0": [{"upload_time_iso_8601": "2021-05-06T10:00:00Z"}], "22.0": []}}
    network.pages["https://one/pypi/attrs/json"] = Page(status=200, kind="application/json", text=json.dumps(answer))
    (found,) = made(tmp_path / "b", network).releases("attrs")
    assert ("21.1.0", ">=3.6", 2021) == (found.version, found.requires_python, found.uploaded and found.uploaded.year)


def test_the_first_index_that_has_the_project_is_believed(tmp_path: Path) -> None:
    """A public project cannot replace a private one of the same name."""
    network = Network({"https://private/attrs/": simple(FILES[:1]), "https://one/simple/attrs/": simple(FILES)})
    found = made(tmp_path, network, "https://private", "https://one/simple").releases("attrs")
    assert ["21.1.0"] == [item.version for item in found]
    assert ["https://private/attrs/"] == network.asked


def test_a_project_that_no_index_has_has_no_releases(tmp_path: Path) -> None:
    """That is an answer, not a failure."""
    assert () == made(tmp_path, Network({})).releases("attrs")


def test_answers_are_kept_for_an_hour(tmp_path: Path) -> None:
    """Offline also older ones will do, and what is to be refreshed is asked again."""
    network = Network({"https://one/simple/attrs/": simple(FILES)})
    first = made(tmp_path, network)
    expected = first.releases("attrs")
    later = replace(first, known={}, clock=lambda: 1000.0 + index.FRESH - 1)
    assert (expected, 1) == (later.releases("attrs"), len(network.asked))
    assert expected == replace(later, known={}, refresh=True).releases("attrs")
    assert expected == replace(later, known={}, clock=lambda: 1000.0 + 2 * index.FRESH).releases("attrs")
    assert 3 == len(network.asked)
    assert expected == replace(later, known={}, clock=lambda: 9e9, offline=True).releases("attrs")
    assert 3 == len(network.asked)


def test_offline_without_an_answer_says_so(tmp_path: Path) -> None:
    """No network is tried."""
    network = Network({})
    with pytest.raises(InfrastructureError, match="offline, and the releases of attrs are not in the cache"):
        replace(made(tmp_path, network), offline=True).releases("attrs")
    assert [] == network.asked


@pytest.mark.parametrize(
    ("pages", "problem", "asked"),
    [
        ([ConnectionError("x")], "one did not answer: ConnectionError", 3),
        ([Page(status=500, kind="", text="")], "one did not answer: status 500", 3),
        ([Page(status=403, kind="", text="")], "one did not answer: status 403", 1),
        ([Page(status=200, kind="image/png", text="")], "one gave no page of attrs that can be read", 1),
        ([Page(status=200, kind=JSON, text="{")], "one gave no page of attrs that can be read", 1),
    ],
)
def test_failures_are_told_and_never_kept(tmp_path: Path, pages: list[Any], problem: str, asked: int) -> None:
    """What may pass is tried three times; no user's name or password of an address is shown."""
    network = Network({"https://me:secret@one/simple/attrs/": pages})
    with pytest.raises(InfrastructureError, match=problem) as caught:
        made(tmp_path, network, "https://me:secret@one/simple").releases("attrs")
    assert "secret" not in str(caught.value)
    assert asked == len(network.asked)
    assert [] == list(tmp_path.rglob("*.json"))


def test_a_short_trouble_is_waited_out(tmp_path: Path) -> None:
    """The second answer counts."""
    network = Network({"https://one/simple/attrs/": [Page(status=503, kind="", text=""), simple(FILES)]})
    assert 2 == len(made(tmp_path, network).releases("attrs"))


def test_a_damaged_answer_in_the_cache_is_asked_again(tmp_path: Path) -> None:
    """Truncated, of another format, or no JSON."""
    network = Network({"https://one/simple/attrs/": simple(FILES)})
    expected = made(tmp_path, network).releases("attrs")
    (kept,) = tmp_path.rglob("attrs.json")
    for damaged in ("", kept.read_text()[:-9], "{}", "[]", kept.read_text().replace("releases-3", "releases-9")):
        kept.write_text(damaged)
        assert expected == made(tmp_path, network).releases("attrs")
    assert 6 == len(network.asked)
