#!/usr/bin/env bash
# Lint, types, docs and tests, in an environment of their own. Arguments go to pytest: run_tests.sh -k dualformer
set -eu
cd "$(dirname "$0")/.."

bash tools/make_venv.sh .venv-tests test
# shellcheck disable=SC1091
source .venv-tests/bin/activate
# pip >= 24 takes the tags in decord's wheel, of Python 3.6, for another platform's; on Arm decord2 is in its place
if python -m pip check | grep -vE '^(No broken requirements found\.|decord .* is not supported on this platform|mmaction2 .* requires decord, which is not installed\.)$'; then
    echo 'error: pip check found the above' >&2
    exit 1
fi
ruff check .
ruff format --check .
mypy
sphinx-build -q -W --keep-going -b html docs docs/_build
# a test that hangs ends its process, with the stacks of its threads
exec python -m pytest -n 2 --timeout 600 --timeout-method thread "$@"
