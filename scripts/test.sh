#!/usr/bin/env bash
# From a fresh clone to a passed test suite: bash scripts/test.sh [words for pytest]
set -euo pipefail
source "$(dirname "$0")/environment.sh"
make_environment "dev${DMCF_EXTRAS:+,$DMCF_EXTRAS}"
exec .venv/bin/python -m pytest -n "${DMCF_TEST_PROCESSES:-2}" "$@"
