#!/usr/bin/env bash
# Toy-profile rows, one run per experiment and seed. Finished stages are shared and reused.
#   bash experiments/toy_seeds.sh [SEED …]     two CPU cores: about 20 minutes a seed; those of EXPERIMENTS="…" where it is set
# Copies results.json and metrics/*.csv of each run to experiments/results/toy/<experiment>-seed<seed>/; KEEP_PREDICTIONS=1 adds
# predictions.jsonl and predictions/.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-experiments/results/toy}
all="jmere_r1 only_rl ablation_no_partial_reward ablation_no_rule_score_filter ablation_no_reprediction_filter ablation_no_filter
cot_sft cot_sft_no_reprediction_filter cot_sft_no_filter sft more_r1 more_sft more_mixing_all more_mixing_hard_only more_mixing_constant"
kept="results.json metrics/*.csv"
if [ "${KEEP_PREDICTIONS:-0}" = 1 ]; then kept="$kept predictions.jsonl predictions/*.jsonl"; fi
for seed in "${@:-0}"; do
  for experiment in ${EXPERIMENTS:-$all}; do
    results=$(python run.py +experiment=$experiment seed="$seed" logger.wandb=false ${EXTRA:-} | tee /dev/stderr | sed -n 's/^results: //p')
    run=$(dirname "$results") copy=$out/$experiment-seed$seed
    rm -rf "$copy" # of an earlier run
    for file in $kept; do
      for path in "$run"/$file; do
        if [ -f "$path" ]; then install -D -m 644 "$path" "$copy/${path#"$run"/}"; fi
      done
    done
  done
done
