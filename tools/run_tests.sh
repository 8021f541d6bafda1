#!/usr/bin/env bash
# Lint and tests, in an environment of their own. Arguments go to pytest: run_tests.sh -k dualformer
set -eu
cd "$(dirname "$0")/.."

bash tools/make_venv.sh .venv-tests test
# shellcheck disable=SC1091
source .venv-tests/bin/activate
python -m pip check
ruff check .
exec python -m pytest -n 2 "$@"
