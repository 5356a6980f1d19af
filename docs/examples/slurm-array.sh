#!/bin/bash
# One study, 16 workers, a GPU each; pre-empted ones are queued again and go on.
#
#   sbatch docs/examples/slurm-array.sh
#
# The study is a journal file beside the results, on a file system that all nodes share. With a server instead:
#   export PVTSEARCH_STORAGE=postgresql+psycopg://pvtsearch@dbhost/pvtsearch    (password: PGPASSFILE, or ~/.pgpass)
#
#SBATCH --job-name=pvtsearch
#SBATCH --array=0-15
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --gres=gpu:1
#SBATCH --time=12:00:00
#SBATCH --signal=TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=pvtsearch-%A_%a.log

out="${PVTSEARCH_OUT:-${SLURM_SUBMIT_DIR:-.}/runs/accuracy}"
storage="${PVTSEARCH_STORAGE:-journal:$out/study.log}"

srun pvtsearch search pvt_v1 --budget resnet50 --objectives accuracy,macs --sampler structured --trials 200 \
  --data "${PVTSEARCH_DATA:?a folder of images}" --epochs 30 --train-batch-size 256 --autocast bfloat16 --loaders 8 \
  --device cuda --evaluation-timeout 6h --storage "$storage" --study accuracy --out "$out"
status=$?

# 143: told to end, by the time limit or a pre-emption. What it was at is free for others, and so is this place.
if [ "$status" -eq 143 ]; then
  exec scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
