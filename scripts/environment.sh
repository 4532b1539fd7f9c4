# Sourced by demo.sh and test.sh: makes .venv with this package and the tested versions in it.
# Another interpreter: DMCF_PYTHON=python3.12; extras: DMCF_EXTRAS=cuda13 (or dev,tpu).
cd "$(dirname "${BASH_SOURCE[0]}")/.."

make_environment() {
    local extras="$1" package="." wanted
    [ -z "$extras" ] || package=".[$extras]"  # pip does not take empty brackets
    wanted="$(cat pyproject.toml constraints.txt | cksum) $extras"
    if [ -f .venv/installed ] && [ "$(cat .venv/installed)" = "$wanted" ]; then
        return
    fi
    echo "installing into .venv (once; a few minutes) ..." >&2
    if command -v uv > /dev/null; then
        [ -d .venv ] || uv venv --quiet --python "${DMCF_PYTHON:-python3}" .venv
        uv pip install --quiet --python .venv/bin/python -c constraints.txt -e "$package"
    else
        [ -d .venv ] || "${DMCF_PYTHON:-python3}" -m venv .venv
        .venv/bin/python -m pip install --quiet --disable-pip-version-check \
            -c constraints.txt -e "$package"
    fi
    echo "$wanted" > .venv/installed  # last, so that a broken installation is done again
}
