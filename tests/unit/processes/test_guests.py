"""Guests: where their files go, and a digest that tells one edition from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.processes import guests

if TYPE_CHECKING:
    from pathlib import Path


def test_the_digest_changes_with_each_name_and_each_content(tmp_path: Path) -> None:
    """Of modules, and of those in packages; what is no module of a package does not count."""
    found = set()
    for number, (module, name, content) in enumerate(
        [("1", "a", "1"), ("2", "a", "1"), ("1", "b", "1"), ("1", "a", "2")]
    ):
        folder = tmp_path / str(number)
        (folder / "package").mkdir(parents=True)
        (folder / "module.py").write_text(module, encoding="utf-8")
        (folder / "package" / f"{name}.py").write_text(content, encoding="utf-8")
        (folder / "package" / "note.txt").write_text(str(number), encoding="utf-8")
        given = (folder / "module.py", folder / "package")
        assert set(guests.files_of(given)) == {"module.py", f"package/{name}.py"}
        found.add(guests.digest_of(given))
    assert len(found) == 4


def test_all_guests_are_there() -> None:
    """Each file that goes into environments exists, the modules of the probe among them."""
    found = guests.files_of(guests.COPIED)
    assert all(file.is_file() for file in found.values())
    assert {"_venvgrid_witness.py", "_venvgrid_witness.pth", "_venvgrid_probe/__init__.py"} <= found.keys()
