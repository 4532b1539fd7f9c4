#!/usr/bin/env bash
# From a fresh clone to a trained, evaluated and pictured demo: bash scripts/demo.sh
set -euo pipefail
source "$(dirname "$0")/environment.sh"
make_environment "${DMCF_EXTRAS:-}"
exec .venv/bin/python scripts/demo.py "$@"
