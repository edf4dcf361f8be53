#!/usr/bin/env bash
# Measures one GPU in less than nine minutes and writes one JSON file; README.md explains it.
#
#   experiments/gpu/run.sh [--wheels FOLDER] [--minutes 9] [options of `python -m mmie.bench.gpu`]
#
# With --wheels, the packages in that folder are installed into a temporary folder and come before
# those of the machine. Nothing is downloaded. PYTHON names the interpreter (default: python3).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-python3}
minutes=9
wheels=
others=()
while [ $# -gt 0 ]; do
    case $1 in
        --wheels) wheels=${2:?--wheels needs a folder}; shift 2 ;;
        --minutes) minutes=${2:?--minutes needs a number}; shift 2 ;;
        *) others+=("$1"); shift ;;
    esac
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The name matters: dill, which datasets uses, takes packages elsewhere for the user's own code.
site=$scratch/site-packages
if [ -n "$wheels" ]; then
    echo "installing $(ls "$wheels"/*.whl | wc -l) packages"
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --disable-pip-version-check \
        --root-user-action ignore --target "$site" "$wheels"/*.whl
fi
export PYTHONPATH="$here/src:$site${PYTHONPATH:+:$PYTHONPATH}"
export HF_HUB_OFFLINE=1 MPLBACKEND=agg TOKENIZERS_PARALLELISM=false
# What the installation has taken counts, too.
left=$("$python" -c "print($minutes - $SECONDS / 60)")
"$python" -W ignore -m mmie.bench.gpu --minutes "$left" "${others[@]}"
