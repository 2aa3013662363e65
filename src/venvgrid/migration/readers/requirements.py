"""Parses arguments of installers. Nothing is installed, and nothing that they name is left out without a word."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from venvgrid.config import requirement_files, values
from venvgrid.config.values import BadValueError
from venvgrid.migration.readers.substitution import UNAVAILABLE, display
from venvgrid.model import ProjectOptions
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvgrid.migration.model import Notes

MAX_DEPTH = 5  # of nested requirements files

_PROJECT = re.compile(r"(?:file:)?\./?(?:\[(?P<extras>[^\]]*)\])?")
_FOLDER = re.compile(r"(?:file:)?(?P<path>\.{0,2}[\w./-]*/[\w./-]*|\.\.)(?:\[(?P<extras>[^\]]*)\])?")
_EGG = re.compile(
    r"(?P<url>[a-z+]+://\S+?)#(?:.*&)?egg=(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?(?P<more>.*)"
)
# Whether the file holds constraints.
_FILES = {
    "-r": False, "--requirement": False, "--requirements": False,
    "-c": True, "--constraint": True, "--constraints": True,
}  # fmt: skip
WITH_VALUE = frozenset({
    *_FILES, "-e", "--editable", "--group", "-g", "--resolution", "--extra", "--prerelease", "--exclude-newer",
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--platform", "--target", "-t", "--python", "-p",
    "--prefix", "--root", "--src", "--no-binary", "--only-binary", "--progress-bar", "--upgrade-strategy",
    "--root-user-action", "--cache-dir", "--timeout", "--retries", "--index", "--default-index", "-C",
    "--config-settings", "--config-setting", "--global-option", "--override", "--overrides", "--link-mode", "-b",
    "--build-constraint", "--build-constraints", "--index-strategy", "--trusted-host", "--log", "-P",
    "--upgrade-package",
})  # fmt: skip
# They change how, and not what is installed; or venvgrid does the same.
HARMLESS = frozenset({
    "-U", "--upgrade", "-q", "--quiet", "-v", "--verbose", "-qq", "-vv", "--system", "--no-cache-dir", "--no-cache",
    "--disable-pip-version-check", "--hash", "--progress-bar", "--upgrade-strategy", "--root-user-action",
    "--cache-dir", "--no-warn-script-location", "--no-input", "--compile", "--no-compile",
    "--break-system-packages", "--require-hashes",
    "--timeout", "--retries", "--python", "-p", "--link-mode", "--isolated", "--prefer-binary", "--compile-bytecode",
    "--force-reinstall", "--reinstall", "--ignore-installed", "-I", "--use-pep517", "--verify-hashes", "--trusted-host",
    "--log", "-P", "--upgrade-package", "--no-progress", "--no-clean", "--use-feature", "--user",
    "--require-virtualenv",
})  # fmt: skip
# They may change it, in ways that a joint resolve mostly makes good.
_NOTED = frozenset({"--no-deps", "--no-build-isolation", "--only-binary", "--no-sources", "--ignore-requires-python"})
# Variables of pip and uv that say nothing about what is installed.
_HARMLESS_VARIABLES = re.compile(
    r"PIP_(?:DISABLE_PIP_VERSION_CHECK|NO_CACHE_DIR|CACHE_DIR|NO_INPUT|PROGRESS_BAR|QUIET|VERBOSE|PREFER_BINARY|TIMEOUT"
    r"|NO_WARN.*|ROOT_USER_ACTION|REQUIRE_VIRTUALENV|RETRIES|LOG|DEFAULT_TIMEOUT|USE_PEP517)"
    r"|UV_(?:PYTHON.*|PROJECT_ENVIRONMENT|CACHE_DIR|NO_CACHE|LINK_MODE|COMPILE_BYTECODE|NO_PROGRESS|SYSTEM_PYTHON"
    r"|FROZEN|LOCKED|NO_SYNC|CONCURRENT.*|HTTP_TIMEOUT|VENV_SEED|MANAGED_PYTHON|NO_CONFIG)"
)


_TRUE = frozenset({"1", "true", "yes", "on", "t", "y"})  # as pip reads them


@dataclass(slots=True, kw_only=True)
class InstallArguments:
    """Parsed arguments of an installer. `project` is "wheel" or "editable" if they install the project itself.

    `requires` and `constraints` are as in [install]; `named` are the names of the requirements in files.
    """

    requires: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    project: str = ""
    resolution: str = ""
    pre_releases: bool = False


def parse_arguments(arguments: Iterable[str], folder: Path, notes: Notes, where: str) -> InstallArguments:
    """Parse the arguments of `pip install` or a compatible command; what [install] cannot express is lost."""
    parser = _Parser(folder, notes, where)
    parser.parse(list(arguments))
    return parser.result


def variables(env: Mapping[str, str], folder: Path, notes: Notes, where: str) -> tuple[dict[str, str], list[str]]:
    """Split variables into those of the tests, and what those of installers mean as arguments."""
    kept, arguments = {}, list[str]()
    setup = ""
    with suppress(OSError, ValueError):
        setup = (folder / "setup.py").read_text(encoding="utf-8")
    for name, value in env.items():
        if name in setup or re.match(r"SETUPTOOLS_SCM_|.*PRETEND_VERSION|CFLAGS$|LDFLAGS$|CC$", name):
            notes.lose(
                f"{where}: the variable {name}={display(value)[:60]} is for the build, which test.env does not reach"
            )
        elif name == "COVERAGE_FILE":
            notes.add(f"{where}: COVERAGE_FILE is left out: each cell has a file of its own")
        elif not name.startswith(("PIP_", "UV_")):
            kept[name] = value
        elif name in {"UV_CONSTRAINT", "PIP_CONSTRAINT", "UV_CONSTRAINTS"}:
            arguments += [word for file in value.split() for word in ("-c", file)]
        elif name == "UV_RESOLUTION":
            arguments += ["--resolution", value]
        elif (name == "UV_PRERELEASE" and value == "allow") or (name == "PIP_PRE" and value.lower() in _TRUE):
            arguments.append("--pre")
        elif value and not _HARMLESS_VARIABLES.fullmatch(name):
            notes.lose(
                f"{where}: {name}={display(value)[:60]} (set it in your shell, where venvgrid's installers read it)"
            )
    return kept, arguments


class _Parser:
    """Parses words into `result`."""

    def __init__(self, folder: Path, notes: Notes, where: str) -> None:
        self.folder, self.notes, self.where = folder, notes, where
        self.result = InstallArguments()

    def parse(self, words: list[str], depth: int = 0) -> None:
        """Add what words mean."""
        while words:
            word = words.pop(0).strip()
            option, equals, value = _option(word)
            if option in WITH_VALUE and not equals:
                value = words.pop(0).strip() if words else ""
            if UNAVAILABLE in word + value:
                self.notes.lose(f"{self.where}: {display(f'{word} {value}').strip()} (only its runner knows the value)")
            elif option in _FILES:
                self._file(value, depth, is_constraint=_FILES[option])
            elif option in {"-e", "--editable"}:
                self._target(value, "editable")
            elif option.startswith("-"):
                self._apply(option, value)
            elif word:
                self._target(word, "wheel")

    def _apply(self, option: str, value: str) -> None:
        if option in {"--group", "-g"}:
            self.result.groups.append(value)
        elif option == "--extra":
            self.result.extras.append(value)
        elif option == "--resolution":
            self.result.resolution = value
        elif option == "--pre" or (option == "--prerelease" and value == "allow"):
            self.result.pre_releases = True
            self.notes.add(f"{self.where}: {option} counts for all that is installed, which is resolved together")
        elif option in _NOTED:
            self.notes.add(f"{self.where}: {option} {value}".rstrip() + " (all that is installed is resolved together)")
        elif option in {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--index", "--default-index"}:
            self.notes.lose(f"{self.where}: {option} {value} (set it where uv and pip read it, such as UV_INDEX)")
        elif option not in HARMLESS:
            self.notes.lose(f"{self.where}: the option {option} {value}".rstrip())

    def _target(self, target: str, how: str) -> None:
        """Add a requirement, the project itself, or another folder or address."""
        if (found := _PROJECT.fullmatch(target)) is not None:
            self.result.project = how
            self.result.extras += [extra.strip() for extra in (found["extras"] or "").split(",") if extra.strip()]
        elif (egg := _EGG.fullmatch(target)) is not None:
            extras = f"[{egg['extras']}]" if egg["extras"] else ""
            place = re.search(r"subdirectory=[^&]+", target.partition("#")[2])
            self._requirement(f"{egg['name']}{extras} @ {egg['url']}{f'#{place[0]}' if place else ''}")
        elif (local := _FOLDER.fullmatch(target)) is not None and "://" not in target:
            self._folder(target, local)
        else:
            self._requirement(target)

    def _folder(self, target: str, local: re.Match[str]) -> None:
        name = requirement_files.name_of(self.folder / local["path"])
        extras = f"[{local['extras']}]" if local["extras"] else ""
        path = local["path"] if local["path"].startswith(".") else f"./{local['path']}"
        if name:
            self.result.requires.append(f"{name}{extras} @ file:{path}")
        else:
            self.notes.lose(f"{self.where}: {target} (write its name before it: NAME @ file:{path})")

    def _requirement(self, text: str, *, is_constraint: bool = False) -> None:
        try:
            parsed = Requirement((values.constraint if is_constraint else values.requirement)(text))
        except (BadValueError, InvalidRequirement) as error:
            hint = f"write its name before it: NAME @ {text}" if "://" in text and " @ " not in text else str(error)
            self.notes.lose(f"{self.where}: {text} ({hint})")
            return
        found = self.result.constraints if is_constraint else self.result.requires
        if text not in found:
            found.append(text)
        del parsed

    def _file(self, name: str, depth: int, *, is_constraint: bool) -> None:
        """Add a file by its name; where only some of its lines can be used, add these."""
        option = "-c" if is_constraint else "-r"
        if "://" in name:
            self.notes.lose(f"{self.where}: {option} {name} is an address: download it, and name the file")
            return
        try:
            found = requirement_files.read(f"{option} {name}", self.folder, ProjectOptions(path=self.folder))
        except BadValueError as error:
            self._lines(name, depth, str(error), is_constraint=is_constraint)
            return
        listed = self.result.constraints if is_constraint else self.result.requires
        if f"{option} {name}" not in listed:
            listed.append(f"{option} {name}")
        if found.has_project:
            self.result.project = self.result.project or "wheel"
        self.result.named += [normalise(Requirement(line).name) for line in found.requires]

    def _lines(self, name: str, depth: int, problem: str, *, is_constraint: bool) -> None:
        try:
            text = (self.folder / name).read_text(encoding="utf-8-sig")
        except (OSError, ValueError):
            text = None
        if text is None or depth > MAX_DEPTH:
            self.notes.lose(f"{self.where}: {problem}")
            return
        parent = name.rpartition("/")[0]
        for _, line in requirement_files.lines_of(text):
            words = _split(line) if line.startswith("-") else [line]
            option, _, value = _option(words[0])
            if option in _FILES and parent:
                words = [option, f"{parent}/{value or words[-1]}"]
            if is_constraint and not line.startswith("-"):
                self._requirement(line, is_constraint=True)
            else:
                self.parse(["-c" if is_constraint and option in _FILES else words[0], *words[1:]], depth + 1)


def _option(word: str) -> tuple[str, bool, str]:
    """Split an option from its value: "-rFILE", "-r FILE", "--requirement=FILE", "-e."."""
    if short := re.fullmatch(r"(-[rce])\s*([^-=\s].*)", word):
        return short[1], True, short[2]
    option, equals, value = word.partition("=") if word.startswith("-") else (word, "", "")
    return option, bool(equals), value


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # an open quote
        return line.split()
