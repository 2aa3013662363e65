"""One coverage report of all cells: their data files combined, with the cell as context and paths as in the sources.

The test commands measure (`pytest --cov`, `coverage run`); each cell has a data file of its own for that. Files of the
installed project are mapped to its sources by their path below site-packages.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError, UsageError
from venvgrid.model.values import dataclass
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coverage import CoverageData

FOLDER = "coverage"  # in .venvgrid: the report of the last run
FILE = "coverage"  # of a cell; what runs in parallel adds to the name
CONFIGURATIONS = (".coveragerc", "setup.cfg", "tox.ini", "pyproject.toml")
_INSTALLED = re.compile(r".*[/\\](?:site|dist)-packages[/\\](.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """A combined report: percent of the lines and branches that any cell ran, the number of cells, and the page."""

    percent: float
    cells: int
    page: Path


def check() -> None:
    """Check that data can be combined.

    Raises:
        UsageError: coverage is not installed beside venvgrid.
    """
    if find_spec("coverage") is None:
        raise UsageError('test.coverage needs coverage: pip install "venvgrid[coverage]"')


def folder_of(private: Path) -> Path:
    """Return the folder of a cell's data files; `private` is the cell's own folder."""
    return private / "measured"


def combine(root: Path, source: Path, cells: Iterable[str]) -> Combined | None:
    """Combine the data of cells into `.venvgrid/coverage` (`root` is `.venvgrid`); None if there is none.

    Raises:
        InfrastructureError: the report cannot be written.
    """
    from coverage import Coverage  # noqa: PLC0415  (an optional dependency)
    from coverage.exceptions import CoverageException  # noqa: PLC0415

    target = root / FOLDER
    files = {cell: sorted(folder_of(root / "cells" / cell).glob(f"{FILE}*")) for cell in cells}
    measured = {cell: found for cell, found in files.items() if found}
    if not measured:
        return None
    try:
        own_folders.delete(root, FOLDER)
        own_folders.make(root, FOLDER)
        configuration = next((str(source / name) for name in CONFIGURATIONS if (source / name).is_file()), False)
        report = Coverage(data_file=str(target / "data"), config_file=configuration)
        _fill(report.get_data(), measured, source)
        page = target / "html"
        percent = report.html_report(
            directory=str(page), ignore_errors=True, show_contexts=True, title="All cells", skip_empty=True
        )
        report.xml_report(outfile=str(target / "coverage.xml"), ignore_errors=True)
    except (OSError, CoverageException) as error:
        raise InfrastructureError(f"coverage cannot be combined: {error}") from error
    return Combined(percent=percent, cells=len(measured), page=page / "index.html")


def _fill(data: CoverageData, measured: dict[str, list[Path]], source: Path) -> None:
    from coverage import CoverageData  # noqa: PLC0415

    read = [(cell, CoverageData(basename=str(place))) for cell, places in measured.items() for place in places]
    for _, found in read:
        found.read()
    branches = all(found.has_arcs() for _, found in read)  # both kinds cannot be mixed: then lines are what all know
    for cell, found in read:
        for context in sorted(found.measured_contexts()) or [""]:
            found.set_query_context(context)
            data.set_context(f"{cell}|{context}" if context else cell)
            for file in found.measured_files():
                name = in_source(file, source)
                if branches:
                    data.add_arcs({name: found.arcs(file) or ()})
                else:
                    data.add_lines({name: found.lines(file) or ()})
        found.close()
    data.write()


def in_source(file: str, source: Path) -> str:
    """Return the file of the sources that an installed file was made from; another file is returned as it is."""
    found = _INSTALLED.fullmatch(file)
    if not found:
        return file
    places = (folder / found[1].replace("\\", "/") for folder in (source / "src", source / "lib", source))
    return next((str(place) for place in places if place.is_file()), file)
