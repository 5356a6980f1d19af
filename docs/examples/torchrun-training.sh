#!/bin/bash
# One network on all GPUs of a node: trained by torchrun, killed and taken up again where it was.
#
#   docs/examples/torchrun-training.sh runs/accuracy/front/front_001.yaml /data/imagenet
#
set -euo pipefail

config="${1:?a preset or a YAML file}"
data="${2:?a folder of images}"
gpus="${GPUS:-$(nvidia-smi --list-gpus | wc -l)}"

exec torchrun --standalone --nproc-per-node="$gpus" -m pvtsearch train "$config" --data "$data" \
  --epochs 300 --batch-size 1024 --device cuda --autocast bfloat16 --workers 8 --out runs/training
