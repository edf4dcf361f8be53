#!/usr/bin/env bash
# Toy-profile rows of Tables 1 and 2, one run per experiment and seed. Finished stages are shared and reused.
#   bash experiments/toy_seeds.sh [SEED …]     two CPU cores: about 20 minutes a seed
# Copies each results.json to experiments/results/toy/<experiment>-seed<seed>.json.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-experiments/results/toy}
mkdir -p "$out"
for seed in "${@:-0}"; do
  for experiment in jmere_r1 only_rl ablation_no_partial_reward ablation_no_rule_score_filter \
    ablation_no_reprediction_filter ablation_no_filter cot_sft cot_sft_no_reprediction_filter cot_sft_no_filter sft; do
    results=$(python run.py +experiment=$experiment seed="$seed" logger.wandb=false ${EXTRA:-} | tee /dev/stderr | sed -n 's/^results: //p')
    cp "$results" "$out/$experiment-seed$seed.json"
  done
done
