#!/usr/bin/env bash
# All toy rows, then the tables and figures: experiments/report/. Finished stages are shared and reused, so it can be stopped and
# started again.
#   bash experiments/toy.sh [SEED …]    seeds 0 1 2 without any; about an hour and a half a seed
#   EXPERIMENTS="jmere_r1 sft" bash experiments/toy.sh 0        some rows only
#   EXTRA="trainer.threads=1" bash experiments/toy.sh           more overrides for every run
# Keeps results.json and metrics/*.csv of each run in experiments/results/toy/<experiment>-seed<seed>/. The predictions of
# the four systems of Figure 4 are kept with the first seed, and that figure's page is written from them.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-experiments/results/toy}
rows="jmere_r1 only_rl ablation_no_partial_reward ablation_no_rule_score_filter ablation_no_reprediction_filter ablation_no_filter
cot_sft cot_sft_no_reprediction_filter cot_sft_no_filter sft more_r1 more_mixing_hard_only more_mixing_constant more_mixing_all more_sft"
case_study="sft cot_sft only_rl jmere_r1"
seeds=("${@:-0}")
if [ $# -eq 0 ]; then seeds=(0 1 2); fi

keep() { # results.json, name, more files to keep
  local run copy=$out/$2
  run=$(dirname "$1")
  rm -rf "$copy"
  for file in results.json metrics ${3:-}; do
    if [ -e "$run/$file" ]; then mkdir -p "$copy" && cp -r "$run/$file" "$copy/"; fi
  done
}

run() { # overrides of one run; prints the path of its results.json
  python run.py "$@" logger.wandb=false ${EXTRA:-} | tee /dev/stderr | sed -n 's/^results: //p'
}

for seed in "${seeds[@]}"; do
  for experiment in ${EXPERIMENTS:-$rows}; do
    predictions=
    if [ "$seed" = "${seeds[0]}" ] && [[ " $case_study " == *" $experiment "* ]]; then predictions=predictions; fi
    keep "$(run +experiment="$experiment" seed="$seed")" "$experiment-seed$seed" $predictions
  done
done

if [ -z "${EXPERIMENTS:-}" ]; then # Figures 3, 5 and 4
  for size in 2 4 8 16; do
    keep "$(run +experiment=figure3_group_size hydra.mode=RUN grpo.group_size=$size seed="${seeds[0]}")" "figure3_group_size-G$size-seed${seeds[0]}"
  done
  for experiment in figure5_voting_cot_sft figure5_voting; do
    keep "$(run +experiment="$experiment" seed="${seeds[0]}")" "$experiment-seed${seeds[0]}"
  done
  runs=()
  for experiment in $case_study; do runs+=("$out/$experiment-seed${seeds[0]}"); done
  python -m mmie.reporting.case_study "${runs[@]}" --out experiments/figure4.md
fi

python run.py 'stages=[report]' report.runs="$out" report.folder=experiments/report
