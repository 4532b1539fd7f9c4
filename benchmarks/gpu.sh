#!/usr/bin/env bash
# Everything about a GPU, measured within ten minutes into one JSON file:
#     bash benchmarks/gpu.sh [--out=gpu.json] [--wheels=FOLDER] [--seconds=600] [--parts=A,B]
# The packages are, whichever there is first:
#   those in FOLDER (wheels without their dependencies, beside what python3 has; no network; by
#     default benchmarks/wheels, if it is there);
#   what .venv or python3 has, if nothing is missing;
#   installed into .venv by constraints.txt, with the CUDA that the driver can run, and PyTorch.
# DMCF_PYTHON=python3.12 names another interpreter, which is then asked instead of .venv. Without a
# GPU all sizes are small, and what needs one is skipped by name.
set -euo pipefail
here="$PWD"
cd "$(dirname "$0")/.."
root="$PWD"
seconds=600 wheels="" words=()
for word in "$@"; do
    case "$word" in
        --seconds=*) seconds="${word#*=}" ;;
        --wheels=*) wheels="$(cd "$here" && cd "${word#*=}" && pwd)" || exit 2 ;;
        --out=/*) words+=("$word") ;;
        --out=*) words+=("--out=$here/${word#*=}") ;;
        *) words+=("$word") ;;
    esac
done
case " ${words[*]} " in *" --out="*) ;; *) words+=("--out=$here/gpu.json") ;; esac
[ -n "$wheels" ] || [ ! -d benchmarks/wheels ] || wheels="$root/benchmarks/wheels"

cuda_extra() {  # the newest CUDA that the driver can run, nothing without a GPU
    local driver
    driver="$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2> /dev/null |
        head -n 1 | cut -d. -f1)" || true
    if [ "${driver:-0}" -ge 580 ]; then echo cuda13; elif [ "${driver:-0}" -ge 525 ]; then echo cuda12; fi
}

missing() {  # words: an interpreter; prints the packages that it lacks
    "$1" - "$(cuda_extra)" << 'PYTHON'
import importlib.util as u, sys
names = ["jax", "flax", "optax", "orbax.checkpoint", "tensorflow_datasets", "array_record"]
names += ["ml_collections", "absl", "rich", "matplotlib", "tensorboardX", "safetensors"]
names += ["jaxtyping", "PIL", "scipy", "flatbuffers"]
lacks = [n for n in names if not u.find_spec(n.split(".")[0]) or ("." in n and not u.find_spec(n))]
plugins = ("jax_cuda12_plugin", "jax_cuda13_plugin")
if sys.argv[1] and not any(u.find_spec(n) for n in plugins):
    lacks.append("a CUDA plugin of jax")
print(*lacks)
PYTHON
}

complete() {
    command -v "$1" > /dev/null && [ -z "$(missing "$1" 2>&1)" ]
}

install() {  # words: extras
    # In a shell of its own: this one would go on after an error in a function called with ||.
    bash -euc 'source scripts/environment.sh; make_environment "$1"' install "$1"
}

install_all() {  # into .venv; without PyTorch where it cannot be had
    local extras
    extras="dev$(cuda_extra | sed 's/^./,&/')"
    install "$extras,torch" || {
        echo "PyTorch cannot be installed: the comparison with it will be skipped" >&2
        install "$extras"
    }
}

python="${DMCF_PYTHON:-python3}"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
if [ -n "$wheels" ]; then
    ls "$wheels"/*.whl > /dev/null 2>&1 || { echo "error: no wheels in $wheels" >&2; exit 2; }
    site="$(mktemp -d)"
    trap 'rm -rf "$site"' EXIT
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$wheels"/*.whl
    export PYTHONPATH="$root:$site${PYTHONPATH#"$root"}"
    lacks="$(missing "$python")"
    [ -z "$lacks" ] || { echo "error: neither $python nor $wheels has: $lacks" >&2; exit 2; }
elif [ -z "${DMCF_PYTHON:-}" ] && complete "$root/.venv/bin/python"; then
    python="$root/.venv/bin/python"
elif ! complete "$python"; then
    install_all
    python="$root/.venv/bin/python"
fi
left=$((seconds - SECONDS))
echo "measuring for at most $left s" >&2
"$python" -m benchmarks.gpu --seconds="$left" "${words[@]}"
