#!/usr/bin/env bash
# Known vulnerabilities of the tested versions: bash scripts/audit.sh [words for pip-audit]
# pip-audit comes into .audit, an environment of its own; it asks the advisory service of PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -x .audit/bin/pip-audit ]; then
    "${DMCF_PYTHON:-python3}" -m venv .audit
    .audit/bin/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.7"
fi
# Checks exactly the versions of constraints.txt, without resolving anything.
# --strict: a version that cannot be checked is a failure, not a silent pass.
exec .audit/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt "$@"
