"""Wheels: what they say of themselves, when they fit, and that building leaves the sources alone."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.model import InstallMode
from venvgrid.model.version import __version__
from venvgrid.project import wheels
from venvgrid.project.build_copy import BuildSources
from venvgrid.project.metadata import Metadata, ProjectError
from venvgrid.project.wheels import WheelCache
from venvgrid.storage.atomic import read_sealed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Interpreter


def write_wheel(path: Path, members: dict[str, str], *, pure: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: six\n"
        )
        archive.writestr("demo-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(pure).lower()}\n")
        for name, content in members.items():
            archive.writestr(name, content)
    return path


class Builder(testing.FakeInstaller):
    """An installer that builds: it writes into the sources that it was given, as setuptools does."""

    def __init__(self, *, pure: bool) -> None:
        super().__init__()
        self.pure, self.built = pure, list[str]()

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        del via_sdist, offline
        self.built.append(interpreter.version)
        (source / "demo.egg-info").mkdir()
        tag = "py3-none-any" if self.pure else "cp3-cp3-linux_x86_64"
        members = {"demo.py": (source / "demo.py").read_text(encoding="utf-8")}
        write_wheel(target / f"demo-1.0-{tag}.whl", members, pure=self.pure)
        return ""


def wheel_cache(tmp_path: Path, builder: testing.FakeInstaller, text: str = "a = 1\n") -> WheelCache:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "demo.py").write_text(text, encoding="utf-8")
    sources = BuildSources(source)
    return WheelCache(
        sources=sources, folder=tmp_path / "shelf", mode=InstallMode.WHEEL, installer_for=lambda _: builder
    )


def test_a_pure_wheel_is_built_once_for_all_interpreters(tmp_path: Path) -> None:
    """The second interpreter gets the wheel that the first one built."""
    builder = Builder(pure=True)
    kept = wheel_cache(tmp_path, builder)
    first = kept.wheel(testing.interpreter("3.12.1"))
    second = kept.wheel(testing.interpreter("3.9.18"))
    assert first == second
    assert builder.built == ["3.12.1"]
    assert first.modules == ("demo",)
    assert first.metadata.requires == ("six",)


def test_a_pure_wheel_for_python_3_does_not_fit_python_2(tmp_path: Path) -> None:
    """py3-none-any is built again by the 2.7 that needs it."""
    builder = Builder(pure=True)
    kept = wheel_cache(tmp_path, builder)
    wheel = kept.wheel(testing.interpreter("3.12.1"))
    assert not wheel.fits(testing.interpreter("2.7.18"))
    assert wheel.fits(testing.interpreter("3.6.1"))


def test_a_wheel_that_is_not_pure_is_built_once_an_interpreter(tmp_path: Path) -> None:
    """Each interpreter builds its own, and finds it again."""
    builder = Builder(pure=False)
    kept = wheel_cache(tmp_path, builder)
    for version in ("3.12.1", "3.9.18", "3.12.1"):
        kept.wheel(testing.interpreter(version))
    assert builder.built == ["3.12.1", "3.9.18"]


def test_building_leaves_the_sources_as_they_are(tmp_path: Path) -> None:
    """A backend that writes beside the sources writes into a copy."""
    kept = wheel_cache(tmp_path, Builder(pure=True))
    kept.wheel(testing.interpreter())
    assert [path.name for path in kept.sources.project.iterdir()] == ["demo.py"]


def test_changed_sources_are_a_new_wheel_with_another_digest(tmp_path: Path) -> None:
    """The content's digest tells the wheels apart; the same content has the same digest, whatever its file's dates."""
    builder = Builder(pure=True)
    first = wheel_cache(tmp_path, builder).wheel(testing.interpreter())
    same = wheel_cache(tmp_path, builder).wheel(testing.interpreter())
    other = wheel_cache(tmp_path, builder, "a = 2\n").wheel(testing.interpreter())
    assert first.digest == same.digest != other.digest
    assert len(builder.built) == 2


def test_a_build_that_fails_gives_the_backends_words(tmp_path: Path) -> None:
    """The message is the backend's."""
    with pytest.raises(ProjectError, match="no setup"):
        wheel_cache(tmp_path, testing.FakeInstaller(problem="no setup")).wheel(testing.interpreter())


def test_a_damaged_wheel_of_the_shelf_is_built_again(tmp_path: Path) -> None:
    """A file that is no wheel (a killed copy) is not used."""
    builder = Builder(pure=True)
    kept = wheel_cache(tmp_path, builder)
    kept.wheel(testing.interpreter()).path.write_bytes(b"torn")
    assert kept.wheel(testing.interpreter()).metadata.name == "demo"
    assert len(builder.built) == 2


@pytest.mark.parametrize(("version", "name"), [(__version__, "noted"), ("0.0.1", "demo")])
def test_the_facts_of_a_kept_wheel_are_those_of_its_seal_if_this_version_wrote_it(
    tmp_path: Path, version: str, name: str
) -> None:
    """Another version may have read less: then the wheel itself is read again. Both are what the build returned."""
    kept = wheel_cache(tmp_path, Builder(pure=True))
    built = kept.wheel(testing.interpreter())
    assert kept.wheel(testing.interpreter()) == built
    seal = built.path.with_suffix(wheels.SEAL)
    facts = json.loads(read_sealed(seal))
    facts["venvgrid"], facts["wheel"]["metadata"]["name"] = version, "noted"
    write_sealed(seal, json.dumps(facts))
    assert kept.wheel(testing.interpreter()).metadata.name == name


def test_a_metadata_wheel_says_what_a_resolver_asks(tmp_path: Path) -> None:
    """Name, version, requirements, extras and requires-python are read back from it; the same metadata are one file."""
    metadata = Metadata(name="My.Demo", version="1.0", requires_python=">=3.8", requires=("six",), extras=("tty",))
    path = wheels.metadata_wheel(tmp_path, metadata)
    assert path.name == "my_demo-1.0-py2.py3-none-any.whl"
    assert wheels.read_wheel(path).metadata == metadata
    assert wheels.metadata_wheel(tmp_path, metadata) == path


def test_top_level_modules_are_read_off_the_members(tmp_path: Path) -> None:
    """Packages, modules and extension modules count; metadata and data files do not; purelib of .data does."""
    members = {
        "pkg/sub/a.py": "",
        "single.py": "",
        "ext.cpython-312-x86_64-linux-gnu.so": "",
        "demo-1.0.data/purelib/other/__init__.py": "",
        "demo-1.0.data/scripts/run": "",
    }
    wheel = wheels.read_wheel(write_wheel(tmp_path / "demo-1.0-py3-none-any.whl", members))
    assert wheel.modules == ("ext", "other", "pkg", "single")


def test_a_package_with_tests_inside_is_read_off_the_members(tmp_path: Path) -> None:
    """Only files that pytest collects count, and only in a package."""
    names = ("pkg/tests/test_a.py", "pkg/tests.py", "single_test.py", "a-b/test_x.py")
    for count, expected in ((1, "pkg"), (0, "")):
        members = dict.fromkeys(names if count else names[1:], "")
        assert wheels.read_wheel(write_wheel(tmp_path / "demo-1.0-py3-none-any.whl", members)).tested == expected
