"""`venvgrid ci`: which file is written, checked, replaced or left alone."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from canaries import CANARIES

from venvgrid.app.pipelines.vendors import VENDORS
from venvgrid.cli import parser as parsers
from venvgrid.cli.commands import ci, init
from venvgrid.cli.terminal import Terminal
from venvgrid.model import UsageError

FILE = Path(".github/workflows/venvgrid.yml")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "matrix.toml").write_text('[axes]\npython = ["3.12"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = ci.main(parsers.build().parse_args(["ci", *words]), Terminal(out=out, err=err, environ={}))
    return status, out.getvalue(), err.getvalue()


def test_a_pipeline_is_written_and_checked(checkout: Path) -> None:
    """--check is green right after writing, red with the difference after an edit, and red without the file."""
    assert type_("github", "--check")[0] == 1
    assert not (checkout / FILE).exists()
    status, _, told = type_("github", "--shards", "7")
    assert (status, "7 shards" in told, "venvgrid gate" in told) == (0, True, True)
    assert type_("github", "--check")[0] == 0
    text = (checkout / FILE).read_text(encoding="utf-8")
    (checkout / FILE).write_text(text.replace("if: always()\n    needs", "needs"), encoding="utf-8")
    status, shown, told = type_("github", "--check")
    assert (status, "+    if: always()" in shown, "venvgrid ci github --shards 7" in told) == (1, True, True)


def test_what_is_not_asked_for_stays_as_it_is(checkout: Path) -> None:
    """Without --shards, the number in the file is kept; the grid may change without a change of the file."""
    type_("github", "--shards", "7")
    before = (checkout / FILE).read_bytes()
    (checkout / "matrix.toml").write_text('[axes]\npython = "3.8..3.13"\nsix = ["1.15"]\n', encoding="utf-8")
    assert type_("github")[0] == 0
    assert (checkout / FILE).read_bytes() == before


def test_a_file_of_somebody_else_is_left_alone(checkout: Path) -> None:
    """Only --force replaces a file that venvgrid did not write, also one of another vendor."""
    (checkout / FILE).parent.mkdir(parents=True)
    for theirs in ("on: push\n", "# Written by: venvgrid ci nobody\n", "# Written by: venvgrid ci 'github\n"):
        (checkout / FILE).write_text(theirs, encoding="utf-8")
        with pytest.raises(UsageError, match="did not write it; nothing was written"):
            type_("github")
        assert (checkout / FILE).read_text(encoding="utf-8") == theirs
    assert type_("github", "--force")[0] == 0
    assert type_("github", "--check")[0] == 0


def test_an_edit_is_not_lost(checkout: Path) -> None:
    """A file that was edited is replaced only with --force; more shards replace one that was not."""
    type_("github")
    assert type_("github", "--shards", "5")[0] == 0
    edited = (checkout / FILE).read_text(encoding="utf-8").replace("    steps:\n", "    steps:\n      - run: make\n")
    (checkout / FILE).write_text(edited, encoding="utf-8")
    with pytest.raises(UsageError, match="was edited after venvgrid wrote it; nothing was written"):
        type_("github", "--shards", "6")
    assert (checkout / FILE).read_text(encoding="utf-8") == edited
    assert type_("github", "--shards", "6", "--force")[0] == 0
    assert "make" not in (checkout / FILE).read_text(encoding="utf-8")


def test_over_a_limit_the_old_file_stays(checkout: Path) -> None:
    """A pipeline that the vendor would cut is refused before anything is written."""
    type_("github")
    before = (checkout / FILE).read_bytes()
    with pytest.raises(UsageError, match="257 jobs in a matrix"):
        type_("github", "--shards", "257")
    assert (checkout / FILE).read_bytes() == before


def test_a_configuration_in_a_folder_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline belongs to the repository; it names a configuration that venvgrid would not find there."""
    (checkout / "sub").mkdir()
    (checkout / "matrix.toml").rename(checkout / "sub/matrix.toml")
    monkeypatch.chdir(checkout / "sub")
    assert type_("github")[0] == 0
    text = (checkout / FILE).read_text(encoding="utf-8")
    assert "venvgrid plan -c sub/matrix.toml -o" in text
    assert str(checkout) not in text
    monkeypatch.chdir(checkout)
    assert type_("github", "--check")[0] == 0


def test_each_grid_has_its_file(checkout: Path) -> None:
    """At GitHub the name of the file has the grid; elsewhere the pipeline of another grid is not replaced."""
    (checkout / "matrix.toml").write_text('[grid.one.axes]\npython = ["3.12"]\n[grid.two.axes]\npython = ["3.13"]\n')
    with pytest.raises(UsageError, match="name a grid"):
        type_("github")
    for grid in ("one", "two"):
        assert f"'venvgrid {grid} gate'" in type_("github", grid)[2]
        assert type_("github", grid, "--check")[0] == 0
    assert type_("gitlab", "one")[0] == 0
    with pytest.raises(UsageError, match="it is of the grid one; nothing was written"):
        type_("gitlab", "two")
    assert type_("gitlab", "--check")[0] == 0


def test_a_file_for_stdout(checkout: Path) -> None:
    """`-o -` prints the pipeline and writes nothing."""
    status, shown, _ = type_("github", "-o", "-")
    assert (status, shown.startswith("# Written by: venvgrid ci github")) == (0, True)
    assert not (checkout / FILE).exists()


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_of_the_machine_is_in_a_file(checkout: Path, monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
    """No secret of the environment, and no path of this machine."""
    for name, secret in {**CANARIES, "PIP_INDEX_URL": "https://me:canary-index@host/simple"}.items():
        monkeypatch.setenv(name, secret)
    (checkout / "pip.conf").write_text("[global]\nindex-url = https://me:canary-index@host/simple\n", encoding="utf-8")
    assert type_(vendor)[0] == 0
    written = [path for path in checkout.rglob("*") if path.suffix == ".yml"]
    assert len(written) == 1
    text = written[0].read_text(encoding="utf-8")
    machine = [str(checkout), str(Path.home()), sys.prefix]
    assert [item for item in ("canary", *CANARIES.values(), *machine) if item in text] == []


@pytest.mark.parametrize(("file", "vendor"), [("", "github"), (".gitlab-ci.yml", "gitlab")])
def test_init_offers_a_pipeline(checkout: Path, monkeypatch: pytest.MonkeyPatch, file: str, vendor: str) -> None:
    """The last line names the command, for the vendor whose file is there."""
    monkeypatch.setattr(init, "pythons", lambda _terminal: frozenset({"3.12"}))
    if file:
        (checkout / file).write_text("{}", encoding="utf-8")
    err = io.StringIO()
    arguments = parsers.build().parse_args(["init", "--force"])
    assert init.main(arguments, Terminal(out=io.StringIO(), err=err, environ={})) == 0
    assert err.getvalue().splitlines()[-1].endswith(f"one job to require: venvgrid ci {vendor}")


@pytest.mark.usefixtures("checkout")
def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=n@e.org", *words], cwd=folder, check=True)


def pushes(folder: Path) -> list[str]:
    found: list[str] = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))[True]["push"]["branches"]
    return found


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose branches are `trunk` and `topic`, and its settings alone."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "symbolic-ref", "HEAD", "refs/heads/trunk")
    (folder / "matrix.toml").write_text('[axes]\npython = ["3.12"]\n', encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    git(folder, "checkout", "-qb", "topic")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("known", ["clone", "setting", "current", "usual", "nothing", "strange"])
def test_pushes_to_the_default_branch_run(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """It is what the clone, the settings or the branches say; a pipeline of an unknown one runs for both usual ones."""
    folder, wanted = repository, ["trunk"]
    match known:
        case "clone":
            git(repository, "checkout", "-q", "trunk")
            git(tmp_path, "clone", "-q", str(repository), "clone")
            folder = tmp_path / "clone"
            git(folder, "checkout", "-qb", "topic")
            git(folder, "branch", "-q", "main")
        case "setting":
            git(repository, "config", "init.defaultBranch", "trunk")
        case "current":
            git(repository, "config", "init.defaultBranch", "not-there")
            wanted = ["topic"]
        case "usual":
            git(repository, "branch", "-q", "master")
            wanted = ["master"]
        case "nothing":
            git(repository, "checkout", "-q", "--detach")
            git(repository, "branch", "-qD", "trunk", "topic")
            wanted = ["main", "master"]
        case _:
            git(repository, "checkout", "-qb", "fix#12")
            wanted = ["main", "master"]
    monkeypatch.chdir(folder)
    assert type_("github")[0] == 0
    assert pushes(folder) == wanted


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_check_says_the_same_in_every_clone(repository: Path) -> None:
    """The file names its branches: what git knows later, and elsewhere, changes nothing. --branch does."""
    assert type_("github", "--shards", "3")[0] == 0
    assert pushes(repository) == ["topic"]
    git(repository, "checkout", "-q", "--detach")
    git(repository, "branch", "-qD", "topic")
    assert type_("github", "--check")[0] == 0
    assert type_("github", "--branch", "main", "--branch", "2.x/next")[0] == 0
    assert pushes(repository) == ["main", "2.x/next"]
    assert "--shards 3 --branch main --branch 2.x/next" in (repository / FILE).read_text(encoding="utf-8")
    assert type_("github", "--check")[0] == 0
    assert type_("github", "--check", "--branch", "main")[0] == 1
    assert type_("azure", "--branch", "main")[0] == 0
    azure = yaml.safe_load((repository / "azure-pipelines.yml").read_text(encoding="utf-8"))
    assert azure["trigger"]["branches"]["include"] == ["main"]


@pytest.mark.parametrize("name", ["a*", "!a", "-a", "a b", "a'b", "a]", "${{ x }}", "", "fix#12"])
def test_a_branch_that_is_a_pattern_is_refused(checkout: Path, name: str) -> None:
    """A vendor would take it for several branches, or for none; nothing is written."""
    with pytest.raises(UsageError, match="cannot hold this branch"):
        type_("github", f"--branch={name}")
    assert not (checkout / FILE).exists()


def test_only_vendors_whose_files_name_branches_take_them() -> None:
    """The table of the parser is that of the vendors."""
    assert {name for name, vendor in VENDORS.items() if vendor.names_branches} == parsers.NAMING_BRANCHES


def test_no_vendor_is_wrong_usage() -> None:
    """`venvgrid ci` alone says which vendors there are."""
    with pytest.raises(UsageError, match="venvgrid ci github"):
        type_()
