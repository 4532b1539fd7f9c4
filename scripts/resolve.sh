#!/usr/bin/env bash
# Whether the extras for GPUs and TPUs can be installed with the tested versions, by metadata alone:
# bash scripts/resolve.sh
# Prints a line for each extra and Python; ends with 1 if the versions of one contradict each other.
# Where no package registry answers it says so and ends with 0. It uses uv, which otherwise comes
# into .resolve.
set -uo pipefail
cd "$(dirname "$0")/.."
extras=(cuda12 cuda13 tpu)
pythons=(3.11 3.12 3.13)
platform=x86_64-manylinux_2_31  # libtpu needs this C library; all others are content with less

skip() {
    echo "skipped: $1; whether the extras resolve is not known"
    exit 0
}

find_uv() {
    uv="$(command -v uv || echo .resolve/bin/uv)"
    [ ! -x "$uv" ] || return 0
    "${DMCF_PYTHON:-python3}" -m venv .resolve > /dev/null 2>&1 &&
        .resolve/bin/python -m pip install --quiet --disable-pip-version-check uv > /dev/null 2>&1
    [ -x "$uv" ] || skip "uv is not there and cannot be installed"
}

resolve() {  # words of `uv pip compile`; the pinned versions go to stdout
    "$uv" pip compile --quiet --no-header --no-annotate --python-platform "$platform" "$@"
}

# Status 1 is a contradiction between versions, another one a registry that does not answer.
resolve_extra() {
    local extra="$1" python="$2" found status=0 name="$1, Python $2"
    found="$(resolve --extra "$extra" --constraint constraints.txt --python-version "$python" \
        pyproject.toml 2>&1)" || status=$?
    case $status in
        0) echo "$name: $(grep -E '^(jax|jax-.*|jaxlib|libtpu|nvidia-cudnn-.*)==' <<< "$found" | xargs)" ;;
        1) printf '%s: cannot be installed with constraints.txt\n%s\n' "$name" "$found" >&2 ;;
        *) echo "$name: not known, the package registry stopped answering" ;;
    esac
    return "$status"
}

find_uv
echo "absl-py" | resolve --no-deps - > /dev/null 2>&1 || skip "no package registry answers"
jobs=()
for extra in "${extras[@]}"; do
    for python in "${pythons[@]}"; do
        resolve_extra "$extra" "$python" &
        jobs+=($!)
    done
done
statuses=()
for job in "${jobs[@]}"; do wait "$job"; statuses+=($?); done
echo "$(printf '%s\n' "${statuses[@]}" | grep -cx 0) of ${#jobs[@]} resolve"
! printf '%s\n' "${statuses[@]}" | grep -qx 1
