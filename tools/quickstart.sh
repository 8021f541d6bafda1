#!/usr/bin/env bash
# From a fresh clone to a trained recognizer: environment, data, training, test and one prediction.
# What an earlier run finished is reused; delete .venv, data/motion or work_dirs/quickstart to do it again.
set -euo pipefail
cd "$(dirname "$0")/.."

CONFIG=configs/dualformer_micro_motion.py
DATA=data/motion
WORK=work_dirs/quickstart

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

# run PATTERN LOG COMMAND...: keep all output in LOG, show what matches PATTERN, and on failure the end of LOG
run() {
    local pattern=$1 log=$2
    shift 2
    if ! "$@" 2>&1 | tee "$log" | { grep --line-buffered -oE "$pattern" || true; }; then
        tail -n 20 "$log" >&2
        echo "error: '$*' failed; all of its output is in $log" >&2
        exit 1
    fi
}

step '1/5 environment'
bash tools/make_venv.sh .venv
# shellcheck disable=SC1091
source .venv/bin/activate
echo 'checking this machine'
python tools/doctor.py --brief
PORT=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PORT

step "2/5 data: eight classes of motion in $DATA"
if [ -f "$DATA/label_map.txt" ]; then
    echo "using $(find "$DATA" -name '*.mp4' | wc -l) clips in $DATA"
else
    python tools/data/make_motion_clips.py --out "$DATA"
fi

# as many processes as GPUs, of a number that divides the batch of 16; two without a GPU
PROCESSES=$(python -c 'import torch; n = torch.cuda.device_count() or 2; print(max(p for p in (1, 2, 4, 8) if p <= n))')
mkdir -p "$WORK"

step "3/5 training on $PROCESSES processes: $CONFIG"
if [ -f "$WORK/trained" ]; then
    echo "using $(cat "$WORK/trained")"
else
    run 'Epoch\((train|val)\).*' "$WORK/train.log" \
        bash tools/dist_train.sh "$CONFIG" "$PROCESSES" --work-dir "$WORK" --resume \
        --cfg-options "train_dataloader.batch_size=$((16 / PROCESSES))"
    find "$WORK" -name 'best_acc_top1_epoch_*.pth' | sort -V | tail -n 1 > "$WORK/trained"
fi
CHECKPOINT=$(cat "$WORK/trained")

step "4/5 test of $CHECKPOINT"
run 'Epoch\(test\).*' "$WORK/test.log" bash tools/dist_test.sh "$CONFIG" "$CHECKPOINT" "$PROCESSES" --work-dir "$WORK"

step '5/5 prediction'
VIDEO=$(find "$DATA/videos_val" -name '*.mp4' | sort | tail -n 1)
run '^.*(%|mp4$).*' "$WORK/recognize.log" \
    python tools/recognize.py "$CHECKPOINT" "$VIDEO"

step 'done'
echo "top-1 $(grep -oE 'acc/top1: [0-9.]+' "$WORK/test.log" | cut -d ' ' -f 2) on $(wc -l < "$DATA/val.txt") clips of eight" \
    "classes; $CHECKPOINT"
