#!/usr/bin/env bash
# From a fresh clone to a passed test suite: bash scripts/test.sh [words for pytest]
set -euo pipefail
source "$(dirname "$0")/environment.sh"
make_environment "dev${DMCF_EXTRAS:+,$DMCF_EXTRAS}"
# Whole files to a process, in order: what a file's tests share is made once, the longest first.
exec .venv/bin/python -m pytest -n "${DMCF_TEST_PROCESSES:-2}" \
    --dist loadfile --no-loadscope-reorder "$@"
