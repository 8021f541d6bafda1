#!/usr/bin/env bash
# All that there is to find out on one GPU, in at most eight minutes; --device cpu --quick tries it without one.
set -eu
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" exec python "$ROOT/tools/analysis/gpu_check.py" "$@"
