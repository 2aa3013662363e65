"""Title and text of an issue. What programs said is code or escaped: it mentions nobody, and links to nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.app.filing import issues
from venvgrid.reporters import text
from venvgrid.reporters.documents.markdown import code, escaped, prose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.app.filing.issues import Problem, Run

MAX_TITLE = 120  # characters
MAX_NAMES = 30  # of cells or tests
MAX_TRACEBACK = 6_000  # characters
# Where services say which run this is: the address, made of variables.
ADDRESSES = (
    ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"),
    ("{CI_PIPELINE_URL}"),
    ("{BUILDKITE_BUILD_URL}"),
    ("{SYSTEM_TEAMFOUNDATIONCOLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}"),
)


def written(run: Run, item: Problem, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the title and the block of an issue."""
    of = f" ({item.tests[0]})" if len(item.tests) == 1 else ""
    title = text.line(f"venvgrid: {item.headline}{of}", MAX_TITLE)
    lines = [issues.begin(run, item, title), *_lines(item, environ), issues.END]
    return title, "\n".join(lines)


def _lines(item: Problem, environ: Mapping[str, str]) -> Iterator[str]:
    yield f"{code(item.headline)}"
    yield ""
    yield f"It fails in {text.count(len(item.cells), 'cell')}." + (f" It {prose(item.rule)}." if item.rule else "")
    yield ""
    yield from _named("Cells", item.cells)
    yield from _named("Tests", item.tests)
    if item.longrepr:
        yield "<details><summary>Traceback</summary><pre>"
        yield escaped(item.longrepr[-MAX_TRACEBACK:])
        yield "</pre></details>"
        yield ""
    if address := address_of_run(environ):
        yield f"Seen in {address}"
        yield ""
    yield f"To repeat it, download the capsule of the cell and type `venvgrid reproduce {item.cells[0]}.capsule`."
    yield "This part is written by `venvgrid ci issues`, which also closes the issue when all these cells pass."


def _named(title: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield f"{title}:"
        yield ""
        yield from (f"- {code(name)}" for name in names[:MAX_NAMES])
        yield from ([f"- and {len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else [])
        yield ""


def address_of_run(environ: Mapping[str, str]) -> str:
    """Return the address of this run of CI, or ""."""
    for pattern in ADDRESSES:
        try:
            found = pattern.format_map(environ)
        except KeyError:
            continue
        if found.startswith(("http://", "https://")) and not set(found) & set("<>\"' \n"):
            return found
    return ""
