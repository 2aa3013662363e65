"""Where Pythons are looked for on each platform, and which files there are started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fake_pythons import FakeRun, add

from venvgrid.interpreters.discovery import Found, search
from venvgrid.interpreters.locations import Machine
from venvgrid.interpreters.windows_registry import registered

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes POSIX modes and links; all layouts are tried on POSIX")


def find(tmp_path: Path, run: FakeRun | None = None, **machine: Any) -> Found:
    """Look at a machine of which nothing but the temporary folder is there."""
    fields = {"home": tmp_path / "home", "root": tmp_path, "platform": "linux", **machine}
    return search(Machine(**fields), run=run or FakeRun(), cache=None)


def sources(found: Found) -> list[tuple[str, str]]:
    """Give source and version of what was found."""
    return [(item.source, item.version) for item in found.interpreters]


LAYOUTS = [
    # platform, variable and its value, where the executable is below the temporary folder, the source
    ("linux", {}, "home/.pyenv/versions/3.9.18/bin/python3.9", "pyenv"),
    ("linux", {"PYENV_ROOT": "{}/pyenv"}, "pyenv/versions/3.9.18/bin/python", "pyenv"),
    ("linux", {}, "home/.pyenv/versions/pypy3.9-7.3.9/bin/pypy3.9", "pyenv"),
    ("linux", {"PATH": "{}/elsewhere/shims"}, "elsewhere/versions/3.9.18/bin/python", "pyenv"),
    ("win32", {}, "home/.pyenv/pyenv-win/versions/3.9.13/python.exe", "pyenv"),
    ("win32", {"PYENV_ROOT": "{}/pyenv-win"}, "pyenv-win/versions/3.9.13/python.exe", "pyenv"),
    ("linux", {}, "home/.local/share/uv/python/cpython-3.9.18-linux-x86_64-gnu/bin/python3.9", "uv"),
    ("linux", {"XDG_DATA_HOME": "{}/data"}, "data/uv/python/cpython-3.9.18-linux-x86_64-gnu/bin/python3.9", "uv"),
    ("linux", {"UV_PYTHON_INSTALL_DIR": "{}/uv"}, "uv/pypy-3.9.18-linux-x86_64-gnu/bin/pypy3.9", "uv"),
    ("darwin", {}, "home/.local/share/uv/python/cpython-3.9.18-macos-aarch64-none/bin/python3.9", "uv"),
    ("win32", {"APPDATA": "{}/Roaming"}, "Roaming/uv/python/cpython-3.9.18-windows-x86_64-none/python.exe", "uv"),
    ("win32", {"APPDATA": "{}/Roaming"}, "Roaming/uv/data/python/cpython-3.9.1-windows-x86_64-none/python.exe", "uv"),
    ("linux", {}, "home/.asdf/installs/python/3.9.18/bin/python3", "asdf"),
    ("linux", {"ASDF_DATA_DIR": "{}/asdf"}, "asdf/installs/python/3.9.18/bin/python3", "asdf"),
    ("linux", {"PATH": "{}/tools/shims"}, "tools/installs/python/3.9.18/bin/python3", "asdf"),
    ("linux", {}, "home/.local/share/mise/installs/python/3.9.18/bin/python3", "mise"),
    ("linux", {"MISE_DATA_DIR": "{}/mise"}, "mise/installs/python/3.9.18/bin/python3", "mise"),
    ("linux", {"MISE_INSTALLS_DIR": "{}/tools"}, "tools/python/3.9.18/bin/python3", "mise"),
    ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local/mise/installs/python/3.9.18/python.exe", "mise"),
    ("linux", {}, "home/.local/share/hatch/pythons/3.9/python/bin/python3", "hatch"),
    ("linux", {}, "home/.local/share/hatch/env/virtual/.pythons/3.9/python/bin/python3", "hatch"),
    ("linux", {"HATCH_DATA_DIR": "{}/hatch"}, "hatch/pythons/3.7/python/install/bin/python3", "hatch"),
    ("darwin", {}, "home/Library/Application Support/hatch/pythons/3.9/python/bin/python3", "hatch"),
    ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local/hatch/pythons/3.9/python/python.exe", "hatch"),
    ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local/hatch/pythons/3.7/python/install/python.exe", "hatch"),
    ("linux", {}, "home/.rye/py/cpython@3.9.18/bin/python3", "rye"),
    ("linux", {"RYE_HOME": "{}/rye"}, "rye/py/cpython@3.9.18/install/bin/python3", "rye"),
    ("linux", {}, "home/miniconda3/bin/python3.9", "conda"),
    ("linux", {}, "home/miniforge3/envs/old/bin/python3.9", "conda"),
    ("linux", {}, "opt/conda/bin/python", "conda"),
    ("linux", {"CONDA_PREFIX": "{}/somewhere"}, "somewhere/bin/python", "conda"),
    ("linux", {"CONDA_EXE": "{}/base/bin/conda"}, "base/envs/x/bin/python", "conda"),
    ("linux", {"CONDA_ENVS_PATH": "{}/one:{}/two"}, "two/x/bin/python", "conda"),
    ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local/miniconda3/envs/x/python.exe", "conda"),
    ("win32", {"PROGRAMDATA": "{}/Data"}, "Data/anaconda3/python.exe", "conda"),
    ("darwin", {}, "opt/homebrew/opt/python@3.9/bin/python3.9", "Homebrew"),
    ("darwin", {}, "usr/local/opt/python@3.9/libexec/bin/python", "Homebrew"),
    ("linux", {}, "home/linuxbrew/.linuxbrew/opt/pypy3.9/bin/pypy3.9", "Homebrew"),
    ("darwin", {"HOMEBREW_PREFIX": "{}/brew"}, "brew/opt/python-freethreading/bin/python3.13t", "Homebrew"),
    ("linux", {}, "opt/python/cp39-cp39/bin/python", "/opt/python"),
    ("darwin", {}, "Library/Frameworks/Python.framework/Versions/3.9/bin/python3.9", "framework"),
    ("darwin", {}, "Library/Frameworks/PythonT.framework/Versions/3.13/bin/python3.13t", "framework"),
    ("darwin", {}, "opt/local/Library/Frameworks/Python.framework/Versions/3.9/bin/python3.9", "MacPorts"),
    ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local/Programs/Python/Python39/python.exe", "python.org"),
    ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local/Programs/Python/Python39-32/python.exe", "python.org"),
    ("win32", {"LOCALAPPDATA": "{}/Local"}, "Local/Python/pythoncore-3.14-64/python.exe", "python.org"),
    ("win32", {"PROGRAMFILES": "{}/Program Files"}, "Program Files/Python39/python.exe", "python.org"),
    ("linux", {"RUNNER_TOOL_CACHE": "{}/tools"}, "tools/Python/3.9.18/x64/bin/python3.9", "tool cache"),
    ("win32", {"AGENT_TOOLSDIRECTORY": "{}/tools"}, "tools/PyPy/3.9.18/x64/python.exe", "tool cache"),
    ("linux", {}, "home/.local/bin/python3.9", "~/.local/bin"),
    ("linux", {"PATH": "relative:{}/bin:{}/other"}, "other/pypy3", "PATH"),
    ("win32", {"PATH": '"{}/a b";{}/other'}, "a b/python.exe", "PATH"),
    ("linux", {}, "usr/local/bin/python3.9", "system"),
]


@pytest.mark.parametrize(("platform", "environ", "path", "source"), LAYOUTS)
def test_every_layout_is_read(tmp_path: Path, platform: str, environ: dict[str, str], path: str, source: str) -> None:
    """A Python at a place where a tool puts it is found, though nothing makes it active, and its source is named."""
    executable = add(tmp_path / path, "3.9.18")
    (tmp_path / "elsewhere" / "shims").mkdir(parents=True)
    variables = {name: value.replace("{}", str(tmp_path)) for name, value in environ.items()}
    found = find(tmp_path, platform=platform, environ=variables)
    assert [(source, "3.9.18", str(executable))] == [
        (item.source, item.version, item.executable) for item in found.interpreters
    ]
    assert {source: 1} == {place.source: place.found for place in found.places if place.found}


def test_conda_environments_are_read_from_its_list(tmp_path: Path) -> None:
    """There conda notes every environment that it makes, wherever that is."""
    add(tmp_path / "far" / "away" / "bin" / "python3.9", "3.9.18")
    notes = tmp_path / "home" / ".conda" / "environments.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text(f"{tmp_path}/gone\n\n{tmp_path}/far/away\n", encoding="utf-8")
    assert sources(find(tmp_path)) == [("conda", "3.9.18")]


def test_the_python_that_runs_venvgrid_is_found_by_its_base(tmp_path: Path) -> None:
    """It is usually installed into a virtual environment, which is not what cells are made from."""
    base = add(tmp_path / "base" / "bin" / "python3.12")
    running = add(tmp_path / "tool" / "bin" / "python")
    (tmp_path / "tool" / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion_info = 3.12.1\n", encoding="utf-8")
    found = find(tmp_path, running=str(running))
    assert [("the Python that runs venvgrid", str(base))] == [(i.source, i.executable) for i in found.interpreters]


def test_only_executables_with_names_of_pythons_are_started(tmp_path: Path) -> None:
    """python3-config, python3.12-gdb.py, pythonw and whatever else lies there is left alone."""
    names = ["python3.12", "python3.13t", "python2.7-dbg", "python3.6dm", "pypy3.10", "graalpy", "python_d.exe"]
    others = [
        "python3-config",
        "python3.12-gdb.py",
        "pythonw",
        "pytest",
        "python.bat",
        "pypy3.10-c",
        "pip3.12",
        "cython",
    ]
    for number, name in enumerate(names + others):
        add(tmp_path / "bin" / name, f"3.{number}.0", prefix=name)
    run = FakeRun()
    find(tmp_path, run, environ={"PATH": str(tmp_path / "bin")})
    assert sorted(names) == sorted(os.path.basename(name) for name in run.names)  # noqa: PTH119


def test_an_executable_with_many_names_is_started_once_by_the_one_that_says_most(tmp_path: Path) -> None:
    """Links and hard links of one folder are one Python; python3 may be another one tomorrow, python3.9 will not."""
    bin_folder = tmp_path / "bin"
    real = add(bin_folder / "python3.9", "3.9.18")
    os.link(real, bin_folder / "python3.9m")
    (bin_folder / "python3").symlink_to("python3.9")
    (bin_folder / "python").symlink_to(bin_folder / "python3")
    run = FakeRun()
    found = find(tmp_path, run, environ={"PATH": str(bin_folder)})
    assert [str(real)] == run.names
    assert [str(real)] == [item.executable for item in found.interpreters]


def test_the_same_interpreter_counts_where_it_is_found_first(tmp_path: Path) -> None:
    """A link from PATH into a manager's folder adds nothing."""
    real = add(tmp_path / "home" / ".pyenv" / "versions" / "3.9.18" / "bin" / "python3.9", "3.9.18")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(real)
    run = FakeRun()
    found = find(tmp_path, run, environ={"PATH": str(tmp_path / "bin")})
    assert sources(found) == [("pyenv", "3.9.18")]
    assert [str(real)] == run.names
    assert [(p.source, p.found, p.duplicates) for p in found.places if p.exists] == [("pyenv", 1, 0), ("PATH", 0, 1)]


def test_copies_in_one_installation_are_one_interpreter(tmp_path: Path) -> None:
    """On Windows python.exe and python3.exe are copies: same installation, same build."""
    for name in ("python.exe", "python3.exe"):
        add(tmp_path / "Local" / "Programs" / "Python" / "Python312" / name)
    found = find(tmp_path, platform="win32", environ={"LOCALAPPDATA": str(tmp_path / "Local")})
    assert sources(found) == [("python.org", "3.12.1")]


def test_builds_of_one_installation_are_several_interpreters(tmp_path: Path) -> None:
    """python3.13 and python3.13t in one folder differ."""
    add(tmp_path / "bin" / "python3.13", "3.13.0")
    add(tmp_path / "bin" / "python3.13t", "3.13.0", fields={"free_threaded": True})
    found = find(tmp_path, environ={"PATH": str(tmp_path / "bin")})
    assert [item.free_threaded for item in found.interpreters] == [False, True]


def test_links_to_folders_give_the_folder(tmp_path: Path) -> None:
    """Both uv and mise keep links from a minor version to the newest patch, which move."""
    root = tmp_path / "uv"
    real = add(root / "cpython-3.9.18-linux-x86_64-gnu" / "bin" / "python3.9", "3.9.18")
    (root / "cpython-3.9-linux-x86_64-gnu").symlink_to(root / "cpython-3.9.18-linux-x86_64-gnu")
    found = find(tmp_path, environ={"UV_PYTHON_INSTALL_DIR": str(root)})
    assert [str(real)] == [item.executable for item in found.interpreters]


def test_links_out_of_the_folder_are_kept(tmp_path: Path) -> None:
    """Homebrew's opt stays, while the Cellar that it leads to goes with the next patch release."""
    cellar = add(tmp_path / "Cellar" / "python@3.12" / "3.12.1" / "bin" / "python3.12")
    shown = tmp_path / "opt" / "homebrew" / "opt" / "python@3.12" / "bin" / "python3.12"
    shown.parent.mkdir(parents=True)
    shown.symlink_to(cellar)
    assert [str(shown)] == [item.executable for item in find(tmp_path).interpreters]


@pytest.mark.parametrize("placeholder", [True, False])
def test_apples_placeholder_is_not_started(tmp_path: Path, *, placeholder: bool) -> None:
    """Without the developer tools, starting /usr/bin/python3 opens a dialog."""
    add(tmp_path / "usr" / "bin" / "python3", "3.9.6")
    if not placeholder:
        (tmp_path / "Applications" / "Xcode.app").mkdir(parents=True)
    run = FakeRun()
    found = find(tmp_path, run, platform="darwin")
    assert len(run.started) == (0 if placeholder else 1)
    reasons = [item.reason for place in found.places for item in place.rejected]
    assert placeholder == any("Apple's placeholder" in reason for reason in reasons)


class FakeRegistry:
    """What registry.py needs of the module winreg, over a dictionary of keys."""

    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE = "user", "machine"
    KEY_READ, KEY_WOW64_64KEY, KEY_WOW64_32KEY = 1, 2, 4

    def __init__(self, keys: dict[str, dict[str | None, object]]) -> None:
        self.keys = keys

    def OpenKeyEx(self, hive: str, path: str, _reserved: int, access: int) -> FakeRegistry.Key:  # noqa: N802  its name
        """Open a key that has values or keys below it."""
        view = "32" if access & self.KEY_WOW64_32KEY else "64" if access & self.KEY_WOW64_64KEY else ""
        full = f"{hive}{view}\\{path}"
        if not any(key == full or key.startswith(full + "\\") for key in self.keys):
            raise FileNotFoundError(full)
        return FakeRegistry.Key(full)

    def EnumKey(self, key: FakeRegistry.Key, index: int) -> str:  # noqa: N802
        """Give the name of a key below it."""
        below = {
            name.removeprefix(key.path + "\\").split("\\")[0]: 1 for name in self.keys if name.startswith(key.path)
        }
        names = list(below)
        if index >= len(names):
            raise OSError(259, "no more data")
        return names[index]

    def QueryValueEx(self, key: FakeRegistry.Key, name: str | None) -> tuple[object, int]:  # noqa: N802
        """Give a value and its type."""
        values = self.keys[key.path]
        if name not in values:
            raise FileNotFoundError(name)
        return values[name], 1

    class Key:
        """An open key."""

        def __init__(self, path: str) -> None:
            self.path = path

        def __enter__(self) -> FakeRegistry.Key:  # noqa: D105  as a file
            return self

        def __exit__(self, *_: object) -> None:  # noqa: D105
            return


def test_the_registry_is_read_as_pep_514_says() -> None:
    """Every company and tag of the three views; ExecutablePath first, else python.exe in the folder."""
    keys: dict[str, dict[str | None, object]] = {
        r"user\Software\Python\PythonCore\3.12\InstallPath": {"ExecutablePath": "/p312/python.exe", None: "/p312"},
        r"user\Software\Python\PyLauncher\x\InstallPath": {"ExecutablePath": "/never.exe"},
        r"machine64\Software\Python\PythonCore\2.7\InstallPath": {None: "/p27"},
        r"machine64\Software\Python\Broken\1\InstallPath": {"ExecutablePath": 7},
        r"machine64\Software\Python\Empty\1\Other": {},
        r"machine32\Software\Python\ContinuumAnalytics\a\InstallPath": {"ExecutablePath": "/conda/python.exe"},
    }
    expected = [Path("/p312/python.exe"), Path("/p27/python.exe"), Path("/conda/python.exe")]
    assert expected == list(registered(FakeRegistry(keys)))


def test_a_machine_without_registry_has_nothing_registered() -> None:
    """On other platforms the module is not there, and keys may be missing on Windows."""
    assert list(registered(FakeRegistry({}))) == []
