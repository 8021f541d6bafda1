#!/usr/bin/env bash
# Make a virtual environment with this checkout and the pinned stack: make_venv.sh DIR [EXTRA]
# An environment that is up to date is left as it is.
set -euo pipefail

VENV=$1
EXTRA=${2:-}
REPO=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-python3}

# Python installs nothing newer than 3.13 of the pinned set
if ! "$PYTHON" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))'; then
    echo "error: $PYTHON is $("$PYTHON" --version 2>&1); set PYTHON to a Python of 3.10 to 3.13" >&2
    exit 1
fi

stamp=$(cat "$REPO/constraints.txt" "$REPO/setup.py" | cksum)
if [ "$(cat "$VENV/.stamp" 2>/dev/null)" = "$stamp$EXTRA$REPO" ]; then
    echo "using the environment $VENV"
    exit 0
fi

echo "making the environment $VENV"
if ! "$PYTHON" -m venv "$VENV"; then
    echo "error: $PYTHON cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi
pip=("$VENV/bin/python" -m pip --disable-pip-version-check)
EXTRAS=mmcv${EXTRA:+,$EXTRA}
if "${pip[@]}" show -q mmcv mmcv-full 2>/dev/null; then  # one that was installed here stays as it is
    EXTRAS=$EXTRA
fi
"${pip[@]}" install --progress-bar off -c "$REPO/constraints.txt" -e "$REPO${EXTRAS:+[$EXTRAS]}" |
    { grep --line-buffered -oE '^(Collecting|Installing|Successfully).{1,80}' || true; }

# MMAction2 requires decord, which has no wheels for Arm; what else it requires was installed above
case $(uname -m) in
    aarch64 | arm64) "${pip[@]}" install -q --no-deps -c "$REPO/constraints.txt" mmaction2 ;;
esac

# OpenCV's wheels with windows need libGL and more of the system; where it lacks them, windows are what we can do without
if ! "$VENV/bin/python" -c 'import cv2' 2>/dev/null; then
    echo "this system lacks what OpenCV's windows need; taking OpenCV without windows"
    "${pip[@]}" install -q --force-reinstall --no-deps -c "$REPO/constraints.txt" opencv-contrib-python-headless
fi
echo "$stamp$EXTRA$REPO" > "$VENV/.stamp"
