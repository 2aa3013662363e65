"""Packages: what an installer made once is what the next environment gets, and nothing else ever is."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.environments.integrity import check
from venvgrid.environments.manifest import take
from venvgrid.environments.package_cache import ingest, populate
from venvgrid.environments.package_cache import record as installed
from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache, Trees, kind_of
from venvgrid.environments.package_cache.links import DamagedError
from venvgrid.environments.package_cache.populate import Populated, fits, with_hashes

if TYPE_CHECKING:
    from venvgrid.model import Distribution

DEMO = testing.distribution("demo", "1.0")
PYTHON = testing.interpreter("3.12.1")
SITE = "lib/python3.12/site-packages"
SCRIPT = "#!{env}/bin/python\nprint('demo')\n"


def record_row(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"{path},sha256={digest},{len(content)}"


def install(env: Path, files: dict[str, str] | None = None, *, name: str = "demo", extra: str = "") -> Path:
    """Do what an installer does with a small distribution: modules, a script, a manual page, and RECORD."""
    site = env / SITE
    wanted = {
        f"{name}/__init__.py": "A = 1\n",
        f"{name}/data.txt": "data",
        f"../../../bin/{name}": SCRIPT,
        **(files or {}),
    }
    rows = []
    for path, text in wanted.items():
        content = text.format(env=env).encode() if "{env}" in text else text.encode()
        place = Path(os.path.normpath(site / path))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if "/bin/" in path:
            place.chmod(0o755)
        rows.append(record_row(path, content))
    info = f"{name}-1.0.dist-info"
    (site / info).mkdir(exist_ok=True)
    (site / info / "RECORD").write_text("\n".join([*rows, f"{info}/RECORD,,", extra]) + "\n", encoding="utf-8")
    return site


def keep(packages: PackageCache, env: Path, *wanted: Distribution) -> Populated:
    return ingest.add_installed(packages, env, env / SITE, env / "bin/python", PYTHON, wanted or (DEMO,))


def give(packages: PackageCache, env: Path, *, may_link: bool = True, wanted: Distribution = DEMO) -> Populated:
    (env / SITE).mkdir(parents=True)
    package = packages.find(PYTHON, wanted)
    assert package is not None
    populated = Populated()
    populate.populate(packages, package, env, env / SITE, populated, may_link=may_link)
    return populated


@pytest.fixture
def packages(tmp_path: Path) -> PackageCache:
    return PackageCache(folder=tmp_path / "trees")


def found(packages: PackageCache) -> CachedPackage:
    package = packages.find(PYTHON, DEMO)
    assert package is not None
    return package


@pytest.mark.parametrize("may_link", [True, False])
def test_the_next_environment_gets_what_the_first_had(packages: PackageCache, tmp_path: Path, may_link: bool) -> None:  # noqa: FBT001
    """Modules and data are the same, the script names the new environment, and RECORD has the script's new hash."""
    one, two = tmp_path / "one", tmp_path / "longer-name"
    install(one)
    keep(packages, one)
    give(packages, two, may_link=may_link)
    assert (two / SITE / "demo/__init__.py").read_text(encoding="utf-8") == "A = 1\n"
    assert (two / "bin/demo").read_text(encoding="utf-8") == SCRIPT.format(env=two)
    assert stat.S_IMODE((two / "bin/demo").stat().st_mode) == 0o755
    rows = (two / SITE / "demo-1.0.dist-info/RECORD").read_text(encoding="utf-8")
    assert record_row("../../../bin/demo", SCRIPT.format(env=two).encode()) in rows
    assert set(take(one)) == set(take(two))


@pytest.mark.parametrize("may_link", [True, False])
def test_the_manifest_says_what_is_there(packages: PackageCache, tmp_path: Path, may_link: bool) -> None:  # noqa: FBT001
    """What `give` says of the files is what a look at them says: nobody has to look."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    populated = give(packages, tmp_path / "two", may_link=may_link)
    shared = {f"{SITE}/demo/__init__.py", f"{SITE}/demo/data.txt"} if may_link else set()
    assert {name: entry for name, entry in take(tmp_path / "two").items() if name not in shared} == populated.manifest
    assert check(tmp_path / "two", tmp_path / "two" / SITE, populated.manifest, populated.links, packages).changed == ()


def test_what_is_not_shared_is_named(packages: PackageCache, tmp_path: Path) -> None:
    """Everything in site-packages but RECORD, which has the script's hash, is one file with the package's."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    populated = give(packages, tmp_path / "two")
    assert populated.links == {found(packages).key: ["demo-1.0.dist-info/RECORD"]}
    assert (tmp_path / "two" / SITE / "demo/data.txt").samefile(found(packages).path / "site/demo/data.txt")


def test_another_interpreter_or_other_hashes_get_nothing(packages: PackageCache, tmp_path: Path) -> None:
    """A package is one interpreter's and one file's."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    assert packages.find(PYTHON, DEMO) is not None
    assert packages.find(testing.interpreter("3.12.2"), DEMO) is None
    assert packages.find(testing.interpreter("3.12.1", free_threaded=True), DEMO) is None
    assert packages.find(PYTHON, replace(DEMO, hashes=("sha256:0",))) is None
    assert packages.find(PYTHON, replace(DEMO, version="1.1")) is None
    assert kind_of(PYTHON) != kind_of(replace(PYTHON, executable="/other/python"))


@pytest.mark.parametrize("wanted", [replace(DEMO, hashes=()), replace(DEMO, direct="git+https://host/demo")])
def test_what_hashes_do_not_tell_makes_no_package(packages: PackageCache, tmp_path: Path, wanted: Distribution) -> None:
    """Without hashes, and for direct references, the installer is asked every time."""
    install(tmp_path / "one")
    assert keep(packages, tmp_path / "one", wanted).packages == []
    assert packages.find(PYTHON, wanted) is None


@pytest.mark.parametrize(
    "files",
    [
        {"../../../../outside.txt": "x"},
        {"../../../bin/odd": "#!/usr/bin/python\n"},
        {"../../../bin/odd.exe": "MZ"},
        {"demo\\odd.py": "x"},
    ],
)
def test_what_cannot_be_made_again_makes_no_package(
    packages: PackageCache, tmp_path: Path, files: dict[str, str]
) -> None:
    """A file outside of the environment, a script with an interpreter of its own, a launcher, a Windows path."""
    install(tmp_path / "one", files)
    assert keep(packages, tmp_path / "one").packages == []
    assert packages.find(PYTHON, DEMO) is None
    assert not list((tmp_path / "trees").rglob(".partial-*"))


def test_a_wrong_record_makes_no_package(packages: PackageCache, tmp_path: Path) -> None:
    """A file that is not what RECORD says, or is missing."""
    site = install(tmp_path / "one")
    (site / "demo/data.txt").write_text("other", encoding="utf-8")
    assert keep(packages, tmp_path / "one").packages == []
    (site / "demo/data.txt").unlink()
    assert keep(packages, tmp_path / "one").packages == []


def test_two_owners_of_a_file_make_no_package(packages: PackageCache, tmp_path: Path) -> None:
    """Which of the two wins only the installer knows."""
    other = testing.distribution("other", "1.0")
    install(tmp_path / "one", {"shared.py": "A = 1\n"})
    install(tmp_path / "one", {"shared.py": "A = 1\n"}, name="other")
    assert keep(packages, tmp_path / "one", DEMO, other).packages == []


def test_packages_that_do_not_go_together_are_noticed(packages: PackageCache, tmp_path: Path) -> None:
    """Kept from two environments, both with the same file: the second one is not put over the first."""
    other = testing.distribution("other", "1.0")
    install(tmp_path / "one", {"shared.py": "A = 1\n"})
    install(tmp_path / "two", {"shared.py": "A = 2\n"}, name="other")
    keep(packages, tmp_path / "one")
    keep(packages, tmp_path / "two", other)
    give(packages, tmp_path / "three")
    package = packages.find(PYTHON, other)
    assert package is not None
    with pytest.raises(FileExistsError):
        populate.populate(packages, package, tmp_path / "three", tmp_path / "three" / SITE, Populated(), may_link=True)


@pytest.mark.parametrize("name", ["site/demo/data.txt", "outside/bin/demo", "site/demo-1.0.dist-info/RECORD"])
@pytest.mark.parametrize("damage", [b"", b"longer than it was", None])
def test_a_damaged_package_is_deleted_and_never_used(
    packages: PackageCache, tmp_path: Path, name: str, damage: bytes | None
) -> None:
    """Cut off, altered or missing: the caller is told, and the next look finds no package."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    place = found(packages).path / name
    content = place.read_bytes()
    place.unlink()
    if damage is not None:
        place.write_bytes(damage if damage == b"" else content[:-1] + b"?")
    fresh = PackageCache(folder=packages.folder)
    with pytest.raises(DamagedError):
        give(fresh, tmp_path / "two")
    assert fresh.find(PYTHON, DEMO) is None
    assert not place.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "venvgrid-tree-9"}', '{"format": "venvgrid-tree-1"}'])
def test_a_damaged_list_is_no_package(packages: PackageCache, tmp_path: Path, text: str) -> None:
    """What cannot be read, or is of another format, is not there."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    (found(packages).path / "tree.json").write_text(text, encoding="utf-8")
    assert PackageCache(folder=packages.folder).find(PYTHON, DEMO) is None


def test_a_package_without_its_list_is_made_anew(packages: PackageCache, tmp_path: Path) -> None:
    """What a kill left half made is replaced by the next environment that an installer filled."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    (found(packages).path / "tree.json").unlink()
    again = PackageCache(folder=packages.folder)
    install(tmp_path / "two")
    keep(again, tmp_path / "two")
    assert give(again, tmp_path / "three").packages


def test_seals_are_known_to_the_next_run(packages: PackageCache, tmp_path: Path) -> None:
    """After `settle`, a new process knows every file of the packages that were used without reading it."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    give(packages, tmp_path / "two")
    packages.settle()
    later = PackageCache(folder=packages.folder)
    assert found(packages).site_files.seals == found(later).site_files.seals
    assert len(found(later).site_files.seals) == 3
    assert len(found(later).script_files.seals) == 1


@pytest.mark.skipif(os.unlink not in os.supports_dir_fd, reason="links are deleted by descriptor")
def test_runs_that_follow_each_other_read_a_package_once(packages: PackageCache, tmp_path: Path) -> None:
    """What was read is taken as long as the same file is there; another file in its place is read."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    trees: Trees = {}
    first, second = (found(PackageCache(folder=packages.folder, trees=trees)) for _ in range(2))
    assert first.site is second.site
    assert first.site_files is not second.site_files
    packages.save(replace(first, compiled={**first.compiled, "demo.pyc": first.site[first.record]}))
    assert "demo.pyc" in found(PackageCache(folder=packages.folder, trees=trees)).compiled
    packages.drop(first)
    assert PackageCache(folder=packages.folder, trees=trees).find(PYTHON, DEMO) is None


def test_a_deleted_environment_leaves_nothing_to_read(packages: PackageCache, tmp_path: Path) -> None:
    """Its links go first, and the files that others share are as well known as before; links to folders are left."""
    install(tmp_path / "one", {"linked/data.txt": "x"})
    keep(packages, tmp_path / "one")
    populated, kept = give(packages, tmp_path / "two"), found(packages).site_files
    site = tmp_path / "two" / SITE
    (site / "linked").rename(tmp_path / "aside")
    (site / "linked").symlink_to(tmp_path / "aside")
    packages.unlink(site, populated.links)
    assert not (site / "demo/data.txt").exists()
    assert (site / "demo-1.0.dist-info/RECORD").exists(), "it is not shared"
    assert (tmp_path / "aside/data.txt").exists(), "behind a link is what is not ours"
    status = (tmp_path / "one" / SITE / "demo/data.txt").stat()
    assert kept.seals["demo/data.txt"] == (status.st_ctime_ns, status.st_nlink)
    packages.settle()
    later = found(PackageCache(folder=packages.folder))
    assert later.site_files.seals == kept.seals


@pytest.mark.skipif(os.unlink not in os.supports_dir_fd, reason="links are deleted by descriptor")
@pytest.mark.parametrize("then", ["looked at", "deleted"])
def test_a_write_is_seen_though_its_link_was_deleted(packages: PackageCache, tmp_path: Path, then: str) -> None:
    """A test writes into a shared file, sets its times back and deletes it; no other environment has it."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    populated, kept = give(packages, tmp_path / "two"), found(packages)
    file = tmp_path / "two" / SITE / "demo/data.txt"
    before = file.stat()
    with file.open("r+", encoding="utf-8") as stream:
        stream.write("D")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    file.unlink()
    (tmp_path / "one" / SITE / "demo/data.txt").unlink()
    if then == "deleted":
        packages.unlink(tmp_path / "two" / SITE, populated.links)
        assert packages.find(PYTHON, DEMO) is None
    else:
        check(tmp_path / "two", tmp_path / "two" / SITE, populated.manifest, populated.links, packages)
        assert not kept.site_files.is_unchanged("demo/data.txt", kept.site["demo/data.txt"])


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    """One distribution has a module and another one a package of that name: the installer decides."""
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError):
        populate.make_folders(f"{tmp_path}/", ["a/b/c.py"])
    populate.make_folders(f"{tmp_path}/", ["top.py", "d/e/f.py", "d/g.py", "d/e/h/i.py"])
    populate.make_folders(f"{tmp_path}/", ["d/e/f.py"])
    assert (tmp_path / "d/e/h").is_dir()


@pytest.mark.parametrize("text", ["", "{", "[]", "[1, 2]", '{"a": 1, "b": 2}', '[{"a": 1}, {}]', '[{"a": "b"}, {}]'])
def test_damaged_seals_are_none(packages: PackageCache, tmp_path: Path, text: str) -> None:
    """Without them every file is read once more; the package is as good as before."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    (found(packages).path / "seals.json").write_text(text, encoding="utf-8")
    assert give(PackageCache(folder=packages.folder), tmp_path / "two").packages


def test_a_poisoned_package_is_copied_from_then_on(packages: PackageCache, tmp_path: Path) -> None:
    """A test wrote through a link: that is noticed, the package is deleted, and its successor is never linked."""
    site = install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    populated = give(packages, tmp_path / "two")
    other = tmp_path / "two" / SITE
    (other / "demo/data.txt").write_text("DATA", encoding="utf-8")
    seen = check(tmp_path / "two", other, populated.manifest, populated.links, packages)
    assert seen.changed == (f"{SITE}/demo/data.txt",)
    for key in seen.poisoned:
        packages.quarantine(key)
    assert packages.find(PYTHON, DEMO) is None
    assert (site / "demo/data.txt").read_text(encoding="utf-8") == "DATA"
    install(tmp_path / "three")
    assert keep(packages, tmp_path / "three").links == {}
    assert give(packages, tmp_path / "four").links == {}


@pytest.mark.parametrize("change", ["edit", "forge", "delete", "replace", "add", "chmod", "own", "link", "compiled"])
def test_a_look_sees_every_change(packages: PackageCache, tmp_path: Path, change: str) -> None:
    """Of shared files and of the environment's own; a compiled file that Python wrote is none."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    env = tmp_path / "two"
    populated = give(packages, env)
    file = env / SITE / "demo/data.txt"
    before = file.stat()
    if change in {"edit", "forge"}:
        with file.open("r+", encoding="utf-8") as stream:
            stream.write("D")
        if change == "forge":
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change in {"delete", "replace"}:
        file.unlink()
        if change == "replace":
            file.write_text("data", encoding="utf-8")
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "chmod":
        file.chmod(0o600)
    elif change == "own":
        (env / "bin/demo").write_text("#!x", encoding="utf-8")
    elif change == "link":
        (env / SITE / "demo/new").symlink_to("data.txt")
    elif change == "compiled":
        (env / SITE / "demo/__pycache__").mkdir()
        (env / SITE / "demo/__pycache__/a.cpython-312.pyc").write_bytes(b"x")
    else:
        (env / SITE / "demo/new.py").touch()
    seen = check(env, env / SITE, populated.manifest, populated.links, packages)
    names = {"own": "bin/demo", "add": f"{SITE}/demo/new.py", "link": f"{SITE}/demo/new"}
    expected = () if change == "compiled" else (names.get(change, f"{SITE}/demo/data.txt"),)
    assert expected == seen.changed
    assert bool(seen.poisoned) is (change in {"edit", "forge", "chmod"})
    assert bool(seen.left_over) is (change == "compiled")


def test_an_environment_whose_package_is_gone_has_changed(packages: PackageCache, tmp_path: Path) -> None:
    """The cache was deleted: nobody can say whether the files are right."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    populated = give(packages, tmp_path / "two")
    packages.drop(found(packages))
    seen = check(tmp_path / "two", tmp_path / "two" / SITE, populated.manifest, populated.links, packages)
    assert seen.poisoned == set(populated.links)
    assert seen.changed


@pytest.mark.parametrize("who", ["another process", "this one"])
def test_a_write_is_seen_though_the_package_was_replaced_since(
    packages: PackageCache, tmp_path: Path, who: str
) -> None:
    """Tests elsewhere wrote into a shared file and their package was replaced: the other environment is in doubt."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    writer = PackageCache(folder=packages.folder) if who == "another process" else packages
    shared, theirs = give(packages, tmp_path / "two"), give(writer, tmp_path / "three")
    (tmp_path / "three" / SITE / "demo/data.txt").write_text("DATA", encoding="utf-8")
    for key in check(tmp_path / "three", tmp_path / "three" / SITE, theirs.manifest, theirs.links, writer).poisoned:
        writer.quarantine(key)
    install(tmp_path / "four")
    keep(writer, tmp_path / "four")
    seen = check(tmp_path / "two", tmp_path / "two" / SITE, shared.manifest, shared.links, packages)
    assert f"{SITE}/demo/data.txt" in seen.changed
    assert seen.poisoned == set(shared.links)


def test_an_environment_of_another_cache_is_looked_at_once(
    packages: PackageCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no file is shared any more, each is compared a few times, and not with all others."""
    files = {f"demo/{number}.txt": f"{number}\n" for number in range(100)}
    install(tmp_path / "one", files)
    keep(packages, tmp_path / "one")
    populated = give(packages, tmp_path / "two")
    shutil.rmtree(packages.folder)
    other = PackageCache(folder=packages.folder)
    install(tmp_path / "three", files)
    keep(other, tmp_path / "three")
    compared: list[str] = []
    is_shared = CachedPackage.is_shared

    def counted(package: CachedPackage, name: str, site: Path) -> bool:
        compared.append(name)
        return is_shared(package, name, site)

    monkeypatch.setattr(CachedPackage, "is_shared", counted)
    seen = check(tmp_path / "two", tmp_path / "two" / SITE, populated.manifest, populated.links, other)
    assert len(seen.changed) > len(files)
    assert len(compared) <= 4 * len(files)


def test_paths_that_do_not_fit_into_a_first_line_get_no_scripts(packages: PackageCache, tmp_path: Path) -> None:
    """A script that names its interpreter in "#!" is not made for a path that the kernel would cut off."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    package = found(packages)
    assert fits(package, Path("/short/bin/python")) is package.short
    assert fits(replace(package, short=True), Path("/" + "x" * 200)) is False
    assert fits(replace(package, short=True), Path("/with space/bin/python")) is False
    assert fits(replace(package, short=True, outside={}), Path("/with space/bin/python")) is True


def test_what_was_not_used_for_long_is_swept(packages: PackageCache, tmp_path: Path) -> None:
    """A month without use; and what a killed process had begun, after a day."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    packages.settle()
    partial = found(packages).path.with_name(".partial-abc")
    partial.mkdir()
    now = partial.stat().st_mtime
    packages.sweep(now + 3600)
    assert partial.exists()
    packages.sweep(now + 2 * 86400)
    assert not partial.exists()
    assert PackageCache(folder=packages.folder).find(PYTHON, DEMO) is not None
    packages.sweep(now + 40 * 86400)
    assert PackageCache(folder=packages.folder).find(PYTHON, DEMO) is None


def test_record_keeps_its_other_lines() -> None:
    """Only rows of files that were made anew get another hash; line ends stay."""
    record = b"demo/a.py,sha256=x,1\r\n../../../bin/demo,sha256=old,3\r\ndemo-1.0.dist-info/RECORD,,\r\n"
    made = with_hashes(record, f"{SITE}/", {"bin/demo": b"new"})
    assert made.splitlines()[1] == record_row("../../../bin/demo", b"new").encode()
    assert made.replace(made.splitlines()[1], b"") == record.replace(record.splitlines()[1], b"")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("../../../bin/x", "bin/x"),
        ("../../../share/man/man1/x.1", "share/man/man1/x.1"),
        ("../../../../x", ""),
        ("/bin/x", ""),
        ("../../../bin/../../x", ""),
        ("..\\x", ""),
        ("C:/x", ""),
    ],
)
def test_where_a_record_leads(path: str, expected: str) -> None:
    """Below the environment, or nowhere."""
    assert installed.below_environment(path, 3) == expected


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["save", "register"])
def test_two_that_make_the_same_package_at_once(
    packages: PackageCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """At whatever moment the second one comes: one package is left, and neither environment seems changed by it."""
    one, two = tmp_path / "one", tmp_path / "two"
    results: dict[Path, Populated] = {}
    install(one)
    install(two)
    ordinary = getattr(PackageCache, step)

    def interrupted(self: PackageCache, package: CachedPackage, *arguments: Path) -> None:
        if when == "after":
            ordinary(self, package, *arguments)
        if two not in results:
            results[two] = Populated()
            results[two] = keep(packages, two)
        if when == "before":
            ordinary(self, package, *arguments)

    monkeypatch.setattr(PackageCache, step, interrupted)
    results[one] = keep(packages, one)
    for env, populated in results.items():
        shared = {
            f"{SITE}/{name}" for key in populated.links for name in found(packages).site if key == found(packages).key
        }
        manifest = {name: entry for name, entry in take(env).items() if name not in shared}
        assert check(env, env / SITE, manifest, populated.links, packages).changed == ()
    assert sum(bool(populated.links) for populated in results.values()) == 1
    assert found(packages).is_whole()
    assert [path.name for path in packages.folder.glob("*/.partial-*")] == []


def test_sweeping_is_done_once_a_day(packages: PackageCache, tmp_path: Path) -> None:
    """A run does not look through the whole cache each time."""
    install(tmp_path / "one")
    keep(packages, tmp_path / "one")
    now = (found(packages).path / "tree.json").stat().st_mtime + 40 * 86400
    packages.tidy(now - 3600)
    assert list(packages.folder.glob("*/demo-*")) == []
    install(tmp_path / "two")
    fresh = PackageCache(folder=packages.folder)
    keep(fresh, tmp_path / "two")
    fresh.tidy(now)
    assert len(list(packages.folder.glob("*/demo-*"))) == 1
