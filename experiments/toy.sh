#!/usr/bin/env bash
# All toy runs, then their tables and figures in experiments/report/. Finished stages are shared and
# reused, so the script can be stopped and started again.
#
#   bash experiments/toy.sh [SEED …]                      seeds 0 1 2 without any
#   EXPERIMENTS="jmere_r1 sft" bash experiments/toy.sh 0  these rows only
#   EXTRA="trainer.threads=1" bash experiments/toy.sh     more overrides for every run
#
# Each run leaves results.json and metrics/*.csv in experiments/results/toy/<experiment>-seed<seed>/.
# The first seed also keeps the predictions of the systems of Figure 4 and makes the points of the
# sweeps over α and β.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-experiments/results/toy}
rows="zero_shot only_rl only_rl_no_partial_reward sft cot_sft jmere_r1
  ablation_no_partial_reward ablation_no_rule_score_filter ablation_no_reprediction_filter ablation_no_filter
  cot_sft_no_reprediction_filter cot_sft_no_filter
  more_zero_shot more_sft more_r1 more_mixing_hard_only more_mixing_constant more_mixing_all
  mner_zero_shot mner_sft mner_r1 mre_zero_shot mre_sft mre_r1
  figure5_voting_cot_sft figure5_voting"
case_study="sft cot_sft only_rl jmere_r1"
seeds=("${@:-0}")
if [ $# -eq 0 ]; then seeds=(0 1 2); fi
first=${seeds[0]}

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

point() { # experiment of a sweep, name of the point, seed, its override
  keep "$(run +experiment="$1" hydra.mode=RUN seed="$3" "$4")" "$1-$2-seed$3"
}

for seed in "${seeds[@]}"; do
  for experiment in ${EXPERIMENTS:-$rows}; do
    predictions=
    if [ "$seed" = "$first" ] && [[ " $case_study " == *" $experiment "* ]]; then
      predictions=predictions
    fi
    keep "$(run +experiment="$experiment" seed="$seed")" "$experiment-seed$seed" $predictions
  done
done

if [ -z "${EXPERIMENTS:-}" ]; then
  for seed in "${seeds[@]}"; do # Figure 3
    for size in 2 4 8 16; do
      point figure3_group_size "G$size" "$seed" "grpo.group_size=$size"
    done
  done
  for alpha in 0 0.1 0.2 0.4 0.8; do
    point sweep_alpha "$alpha" "$first" "reward.alpha=$alpha"
  done
  for beta in 0 0.1 0.2 0.4; do
    point sweep_beta "$beta" "$first" "reward.beta=$beta"
  done
  runs=()
  for experiment in $case_study; do runs+=("$out/$experiment-seed$first"); done
  python -m mmie.reporting.case_study "${runs[@]}" --out experiments/figure4.md
fi

python run.py 'stages=[report]' report.runs="${OUT:-experiments/results}" report.folder=experiments/report
