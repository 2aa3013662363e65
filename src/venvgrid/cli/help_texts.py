"""Examples and explanations below the options of `--help`."""

from __future__ import annotations

EPILOG = """\
examples:
  venvgrid init                      write a first matrix.toml from what the project declares
  venvgrid list                      the ids of all cells, in a moment
  venvgrid plan                      which cells can exist, and why the others cannot
  venvgrid run                       run all of them
  venvgrid run -k 'python>=3.12'     some of them
  venvgrid run --failed -- -x        what was red last time, with an option for pytest
  venvgrid shell py3.12-numpy2.0     look into a cell

exit status: 0 every cell that can exist passed; 1 a test outcome is red; 2 usage or configuration;
3 no test is red, but a cell could not be built or resolved, or lacks its interpreter; 4 nothing to run;
5 cannot tell; 130 interrupted; 70 a bug in venvgrid"""
EXPRESSIONS = """\
expressions of -k:
  py3.12-numpy2.0                    one cell, by its id
  py3.12, numpy2                     all cells whose id has this part
  'py3.1?-*'                         globs over ids
  python>=3.12                       compare an axis: == != < <= > >=
  outcome==failed                    what the last run found; also red, green, none (not in it)
  nightly, label==nightly            cells that an [[include]] gave the label
  'python>=3.9 and not numpy==2.2'   and, or, not, parentheses
"""
RUN_EXAMPLES = f"""\
examples:
  venvgrid run                                everything; what has not changed since it passed is not run again
  venvgrid run --failed                       what was not green last time
  venvgrid run --resume                       go on after a kill or Ctrl-C: what has a result does not run again
  venvgrid run -k py3.13-freezegun1.2 -- -x tests/test_timed.py
  venvgrid run --report html=report.html --report junit=junit.xml
  venvgrid run --locked --report github       in a workflow of GitHub
  venvgrid run --on tls://big:8786 --certificates certs     on other machines

{EXPRESSIONS}"""
MERGE_EXAMPLES = """\
examples:
  venvgrid merge shard-*.record -o merged     from all shards, also from those that ran again
  venvgrid report merged --format html -o report.html"""
GATE_EXAMPLES = """\
examples:
  venvgrid gate plan.json records/            green only if no planned cell is red or missing"""
CI_EXAMPLES = """\
examples:
  venvgrid ci github                 write .github/workflows/venvgrid.yml, with 4 shards
  venvgrid ci github --shards 12     more test jobs; the file stays as it is when the grid changes
  venvgrid ci github --check         is the file what would be written? for a pre-commit hook
  venvgrid ci gitlab -o .gitlab/venvgrid.yml"""
ISSUES_EXAMPLES = """\
examples:
  venvgrid ci issues merged --dry-run
  venvgrid ci issues merged --repo pallets/itsdangerous

The token is in GITHUB_TOKEN, GH_TOKEN or GITLAB_TOKEN. Without one, gh is used if it is there."""
REPRODUCE_EXAMPLES = """\
examples:
  venvgrid reproduce py3.13-numpy2.0.capsule               in a clone of the project
  venvgrid reproduce artifact.zip --with py3.13-numpy2.0   one of many
  venvgrid reproduce https://example.org/py3.13.capsule

exit status: 0 reproduced; 1 another failure; 5 passes here; 3 it could not be run here; 2 the capsule is refused"""
WORKER_EXAMPLES = """\
examples:
  venvgrid worker tls://big:8786 --certificates certs      as many cells at once as it has CPUs
  venvgrid worker tls://big:8786 --certificates certs --plan plan.json --lifetime 55m"""
SCHEDULER_EXAMPLES = """\
examples:
  venvgrid scheduler tls://0.0.0.0:8786 --certificates certs    it makes the certificates if there are none
  venvgrid run --on tls://big:8786 --certificates certs         then, where the project is"""
WHY_EXAMPLES = """\
examples:
  venvgrid why                                the first failure of the last run
  venvgrid why py3.12-flask2.2                a red cell
  venvgrid why url_quote                      words of a failure or of a test's name
  venvgrid why py3.12 --good 2023-02-01       it was green on that day
  venvgrid why py3.12 --good 20261121-1430    in that run
  venvgrid why --upstream                     a text for the tracker of the other project

exit status: 0 proven; 5 it cannot be told; 4 no cell is red; 2 usage"""
BISECT_EXAMPLES = """\
examples:
  venvgrid bisect werkzeug                  from the version that the red cell has, back to one that works
  venvgrid bisect numpy 1.26.4 2.1.0        between two versions, of which the first is good
  venvgrid bisect numpy --wheel nightlies/  with the wheels of a folder beside the releases
  venvgrid bisect --commits                 from HEAD back to a commit that works
  venvgrid bisect --commits v1.0 main --tests-of .

exit status: 0 found; 5 cannot tell: the tests are too flaky, or both ends are alike"""
BOUNDS_EXAMPLES = """\
examples:
  venvgrid bounds                    declared, resolvable and proven lower bounds of each dependency
  venvgrid bounds --check            for CI: do the tests pass with the lowest versions that are declared?
  venvgrid bounds --write            write what is proven into pyproject.toml
  venvgrid bounds -k 'python>=3.12'  on some Pythons

exit status: 0 proven, or printed; with --check, 1 if a declared lower bound is wrong; 5 cannot tell"""
WATCH_EXAMPLES = f"""\
examples:
  venvgrid watch                     the whole grid, red cells first, again after each edit
  venvgrid watch -k py3.13           only these cells

keys: a all, f failed cells, c choose cells, p choose tests, w why, s shell, o page, Enter again, q quit

{EXPRESSIONS}"""
PLAN_EXAMPLES = f"""\
examples:
  venvgrid plan                      which cells can exist, and why the others cannot
  venvgrid plan --json               for a program
  venvgrid plan --check              is matrix.lock up to date? no network; for a pre-commit hook
  venvgrid plan --check-config       is matrix.toml right? no network, no interpreters
  venvgrid plan -o plan.json         for other machines: venvgrid run --plan plan.json --shard 1/4
  venvgrid plan --tier pull-request  which cells [ci] names for this event, and which it leaves out

{EXPRESSIONS}"""
REPORT_EXAMPLES = """\
examples:
  venvgrid report                              the newest result of each cell
  venvgrid report --format html -o report.html
  venvgrid report 20261121-1430 --format markdown
  venvgrid report --format shields -o badge.json"""
INIT_EXAMPLES = """\
examples:
  venvgrid init
  venvgrid init --from tox
  venvgrid init --from noxfile.py
  venvgrid init --from .github/workflows/ci.yml

What cannot be carried over is said, and stands at the end of the file."""
SCHEMA_EXAMPLES = """\
For completion and checks while you type, in editors that use taplo (VS Code's Even Better TOML, Helix, Zed):
  venvgrid schema > .venvgrid/config.schema.json
and as the first line of matrix.toml:
  #:schema .venvgrid/config.schema.json"""
COMPLETION_EXAMPLES = """\
Commands, options, ids of cells and of runs are completed. Once, or in the start-up file of the shell:
  bash, zsh     eval "$(venvgrid completion bash)"
  fish          venvgrid completion fish > ~/.config/fish/completions/venvgrid.fish
  PowerShell    venvgrid completion powershell | Out-String | Invoke-Expression"""
LIST_EXAMPLES = f"""\
Nothing is resolved: `venvgrid plan` tells which of these cells can exist.

examples:
  venvgrid list                      the id of every cell, one on each line
  venvgrid list -k py3.13            the cells that `venvgrid run -k py3.13` runs

{EXPRESSIONS}"""
EXEC_EXAMPLES = """\
examples:
  venvgrid exec py3.12-numpy2.0 python -c 'import numpy; print(numpy.__version__)'
  venvgrid exec py3.12-numpy2.0 -- pytest -x tests/test_one.py"""
