#!/bin/bash
# Run a grid as a Slurm array: plan here, test in N tasks, judge in a last job.
#
#     cd my-project && bash submit.sh [N [AT_ONCE]]
#
# FOLDER is where plan, records and work folders are: every node sees it, and it is outside of the project.
set -eu
shards=${1:-16} at_once=${2:-$shards}
here=$(cd "$(dirname "$0")" && pwd)
export SHARDS=$shards FOLDER=${FOLDER:-$HOME/venvgrid-grids/$(date +%Y%m%d-%H%M%S)}
PREFIX=$(git rev-parse --show-prefix) && export PREFIX
git diff --quiet HEAD || { echo "commit your changes first: the nodes test the commit" >&2; exit 2; }
mkdir -p "$FOLDER/records" "$FOLDER/work"

# The tasks clone this copy: what you commit while they wait changes nothing.
git clone -q "$(git rev-parse --show-toplevel)" "$FOLDER/source"
venvgrid plan -q -o "$FOLDER/plan.json"
array=$(sbatch --parsable --array="1-$shards%$at_once" --output="$FOLDER/shard-%a.log" "$here/shard.sbatch")
# afterany: the gate also tells which cells are missing when a task was killed.
gate=$(sbatch --parsable --dependency="afterany:${array%%;*}" --output="$FOLDER/gate.log" "$here/gate.sbatch")
echo "array ${array%%;*}, gate ${gate%%;*}, folder $FOLDER"
