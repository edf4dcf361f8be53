#!/usr/bin/env bash
# Fills a folder with the wheels that a GPU machine without a network lacks, 63 MiB in all.
#
#   experiments/gpu/carry.sh FOLDER
#
# They are for Linux on x86-64 and the Python that runs this (PYTHON, default: python3.12). The
# machine itself has torch, pytorch-lightning, numpy, pandas and what these bring along.
set -euo pipefail
folder=${1:?usage: carry.sh FOLDER}
python=${PYTHON:-python3.12}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# The versions of constraints.txt, without what that says of Python 3.11 alone.
packages=(
    transformers peft hydra-core omegaconf editdistance
    py-cpuinfo hjson einops ninja msgpack
    trl datasets dill multiprocess xxhash pydantic pydantic_core annotated-types typing-inspection
)
pinned=()
for package in "${packages[@]}"; do
    pinned+=("$(grep "^$package==" "$here/constraints.txt")")
done
mkdir -p "$folder"
pip=("$python" -m pip --disable-pip-version-check)
"${pip[@]}" download --quiet --no-deps --only-binary=:all: --dest "$folder" "${pinned[@]}"
# datasets takes this release of pyarrow as well, and the pinned one is 12 MiB larger.
"${pip[@]}" download --quiet --no-deps --only-binary=:all: --dest "$folder" pyarrow==21.0.0
# These two come as source only. DeepSpeed's own kernels are not built: ZeRO-2 needs none of them.
for package in antlr4-python3-runtime deepspeed; do
    DS_BUILD_OPS=0 "${pip[@]}" wheel --quiet --no-deps --wheel-dir "$folder" \
        "$(grep "^$package==" "$here/constraints.txt")"
done
du --apparent-size -sk "$folder"
