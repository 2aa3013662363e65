"""The emitted files fit the schemas of their vendors, which check-jsonschema ships; for GitHub also actionlint."""

from __future__ import annotations

import importlib.resources
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest
import yaml

from venvgrid.app.pipelines import pipeline
from venvgrid.app.pipelines.pipeline import Pipeline
from venvgrid.app.pipelines.vendors import ACTIONS, VENDORS

ROOT = Path(__file__).parents[3]
SCHEMAS = {
    "github": "github-workflows.json",
    "gitlab": "gitlab-ci.json",
    "azure": "azure-pipelines.json",
    "buildkite": "buildkite.json",
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"shards": 1, "has_nightly": True, "needs_history": True},
    {"shards": 200, "grid": "docs", "config": "a folder/matrix.toml"},
]
# What a vendor's pipeline must not have: the schema is not so wide that it takes everything.
ON_MACHINES = [
    Pipeline(vendor="github", version="1.0", shards=2, has_nightly=True, platforms=platforms)
    for platforms in (tuple(VENDORS["github"].runners), ("macos",), ("windows-aarch64", "linux"))
]
WRONG = {
    "github": ("runs-on: ubuntu-latest", "runs_on: ubuntu-latest"),
    "gitlab": ("parallel: 4", "parallel: 500"),
    "azure": ("dependsOn: plan", "depends_on: plan"),
    "buildkite": ("parallelism: 4", "parallelism: many"),
}


def problems(name: str, text: str) -> list[str]:
    """Return what the vendor's schema says against a file."""
    package = pytest.importorskip("check_jsonschema", reason="needs check-jsonschema, which has the schemas")
    folder = importlib.resources.files(package) / "builtin_schemas" / "vendor"
    schema = json.loads((folder / name).read_text(encoding="utf-8"))
    # "on" is no boolean, but numbers are numbers
    data = yaml.safe_load(text.replace("\non:", '\n"on":'))
    found = jsonschema.validators.validator_for(schema)(schema).iter_errors(data)
    return [f"{error.json_path}: {error.message:.200}" for error in found]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_pipeline_fits_the_schema_of_its_vendor(vendor: str, variant: dict[str, Any]) -> None:
    """With and without a schedule, history, a grid and a path."""
    assert problems(SCHEMAS[vendor], pipeline.render(Pipeline(vendor=vendor, version="1.0", **variant))) == []


@pytest.mark.parametrize("made", ON_MACHINES, ids=lambda made: "+".join(made.platforms))
def test_a_workflow_on_several_machines_fits_the_schema(made: Pipeline) -> None:
    """A matrix of machines and shards: every machine that is known, and one that is not Linux alone."""
    assert problems(SCHEMAS["github"], pipeline.render(made)) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_schema_notices_a_mistake(vendor: str) -> None:
    """The check can fail."""
    text = pipeline.render(Pipeline(vendor=vendor, version="1.0"))
    right, wrong = WRONG[vendor]
    assert right in text
    assert problems(SCHEMAS[vendor], text.replace(right, wrong)) != []


def test_the_action_fits_its_schema_and_uses_its_inputs() -> None:
    """`action.yml` at the top is valid; each input is used, none inside of a script; its actions are pinned as ours."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert problems("github-actions.json", text) == []
    action = yaml.safe_load(text)
    steps = action["runs"]["steps"]
    assert all(f"inputs.{name} " in str(steps) for name in action["inputs"])
    assert not any("${{" in step.get("run", "") for step in steps)
    assert {step["uses"] for step in steps if "uses" in step} <= {known.split(" ")[0] for known in ACTIONS.values()}


@pytest.mark.skipif(not shutil.which("actionlint"), reason="needs actionlint")
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_actionlint_finds_nothing(tmp_path: Path, variant: dict[str, Any]) -> None:
    """Expressions, contexts and shells of the workflow are right."""
    file = tmp_path / "venvgrid.yml"
    file.write_text(pipeline.render(Pipeline(vendor="github", version="1.0", **variant)), encoding="utf-8")
    done = subprocess.run(["actionlint", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
