"""Renders the pipeline of a project. Only shard numbers are in it: it stays as it is when the grid changes. Pure."""

from __future__ import annotations

import functools
import hashlib
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from venvgrid.app.pipelines import limits
from venvgrid.app.pipelines.vendors import ACTIONS, IMAGE, PYTHON, VENDORS
from venvgrid.model import UsageError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

TEMPLATES = Path(__file__).with_name("templates")
LOCK_DIGEST = (  # of a plan: the key of caches
    "import hashlib, json, sys; "
    'print(hashlib.sha256(json.load(open(sys.argv[1], encoding="utf-8"))["lock"].encode()).hexdigest()[:16])'
)
SHARDS = 4  # if nothing else is asked for
BRANCHES = ("main", "master")  # if nobody knows the default branch
# Vendors expand $, %, {{ and quotes, each in its own way and place. A path needs none of them.
SAFE = re.compile(r"[\w./-]+(?: [\w./-]+)*")
BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
DIGEST = "# Digest of what follows, to notice edits: "
_WRITTEN = re.compile(r"^# Written by: venvgrid (ci .+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What a pipeline depends on.

    `config` is the configuration's path in the repository, "" for the one that venvgrid finds. `version` is that of
    venvgrid. `has_nightly`: the configuration has a tier for scheduled runs. `needs_history`: the version of the
    project may come from tags. Each of the `platforms` has as many `shards`. Pushes to `branches` run, () for BRANCHES.
    """

    vendor: str
    version: str
    shards: int = SHARDS
    config: str = ""
    grid: str = ""
    has_nightly: bool = False
    needs_history: bool = False
    platforms: tuple[str, ...] = ("linux",)
    branches: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The arguments of `venvgrid` that name the configuration."""
        return ("-c", self.config) if self.config else ()

    @property
    def title(self) -> str:
        """How its jobs are called: those of several grids have names of their own."""
        return f"venvgrid {self.grid}".rstrip()

    @property
    def command(self) -> str:
        """The command that writes this pipeline again."""
        words = ["ci", self.vendor, *([self.grid] if self.grid else []), *self.options, "--shards", str(self.shards)]
        return shlex.join([*words, *(word for name in self.branches for word in ("--branch", name))])


def render(pipeline: Pipeline) -> str:
    """Return the text of a pipeline.

    Raises:
        UsageError: it would be over a limit of the vendor, or cannot hold the path of the configuration.
    """
    vendor = VENDORS[pipeline.vendor]
    if pipeline.config and not SAFE.fullmatch(pipeline.config):
        raise UsageError(
            f"{pipeline.config!r}: a pipeline cannot hold this path safely; use letters, digits, '.', '_', '-', '/'"
        )
    if strange := [name for name in pipeline.branches if not is_safe_branch(name)]:
        raise UsageError(
            f"{strange[0]!r}: a pipeline cannot hold this branch safely; use letters, digits, '.', '_', '-', '/'"
        )
    if unknown := [name for name in pipeline.platforms if name not in vendor.runners]:
        known = ", ".join(vendor.runners)
        raise UsageError(
            f"the axis platform has {', '.join(unknown)}, but venvgrid knows machines of {vendor.title} "
            f"for {known} only: no job would run their cells; nothing was written. "
            f"Print a pipeline without these values, and add jobs for them: venvgrid ci {vendor.name} -o -"
        )
    jobs, machines = pipeline.shards * len(pipeline.platforms), len(pipeline.platforms)
    limits.check(vendor.name, {vendor.counts: jobs + vendor.others}, others=vendor.others, machines=machines)
    text = (
        _environment()
        .get_template(f"{vendor.name}.yml")
        .render(
            pipeline=pipeline,
            title=pipeline.title,
            slug=pipeline.title.replace(" ", "-"),  # of what several grids must not share: artifacts, caches, jobs
            shards=pipeline.shards,
            branches=pipeline.branches or BRANCHES,
            runners=[vendor.runners[name] for name in pipeline.platforms],
            actions=ACTIONS,
            python=PYTHON,
            lock_digest=LOCK_DIGEST,
            image=IMAGE,
            requirement=f"venvgrid[uv]=={pipeline.version}",
            options=_shell(pipeline.options),
            selected=_shell((*([pipeline.grid] if pipeline.grid else []), *pipeline.options)),
        )
    )
    limits.check(vendor.name, {"bytes of the file": len(text.encode())})
    first, _, rest = text.partition("\n")
    return f"{first}\n{DIGEST}{_digest(rest)}\n{rest}"


def is_safe_branch(name: str) -> bool:
    """Return whether a file can name a branch: vendors take `*`, `?`, `!` and brackets for patterns."""
    return BRANCH.fullmatch(name) is not None


def written_by(text: str) -> tuple[str, ...]:
    """Return the arguments of the command that wrote a file, or () if venvgrid did not write it."""
    found = _WRITTEN.search(text)
    return tuple(shlex.split(found[1])) if found else ()


def is_edited(text: str) -> bool:
    """Return whether a file that venvgrid wrote was changed afterwards."""
    _, _, rest = text.partition(DIGEST)
    digest, _, body = rest.partition("\n")
    return digest != _digest(body)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shell(words: Sequence[str]) -> str:
    """Return words for a command line of a POSIX shell, each after a space."""
    return "".join(f" {shlex.quote(word)}" for word in words)


@functools.cache
def _environment() -> jinja2.Environment:
    """Return an environment whose marks no vendor uses."""
    return jinja2.Environment(  # noqa: S701  (YAML, not HTML: what is filled in is checked above)
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
