#!/usr/bin/env bash
# Fuzzes targets one after the other, each on one core. usage:
#   tests/fuzz/run.sh [SECONDS] [TARGET...]           each target (default: all) for so many seconds (default 30)
#   tests/fuzz/run.sh --until CPU_SECONDS [TARGET...] rounds of five minutes, until each target has had so much in all; what each
#                                                     round came to is added to results.json, so it may be stopped and begun again
# Status 0: nothing was found. 1: something was; its input is named. 3: this machine cannot fuzz, with the reason.
# A corpus grows from run to run, in the folder of the tools.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
cd "$root" || exit 1

until=0 seconds=30
if [ "${1:-}" = --until ]; then
  until=${2:?usage: run.sh --until CPU_SECONDS [TARGET...]} seconds=300
  shift 2
elif [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi

nightly=$(tests/setup.sh where nightly) || exit 3
cargo_fuzz=$(tests/setup.sh where cargo-fuzz) || exit 3
work=$(tests/setup.sh folder)/fuzz
results=$here/results.json
host=$(rustc +"$nightly" -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-$root/target}/fuzz
mkdir -p "$work/seeds" "$work/corpus" "$work/artifacts"

echo "== seeds"
ISLEDB_FUZZ_SEEDS=$work/seeds cargo test --quiet --locked -p isledb-fuzz --test replay most_seeds_are_decoded || exit 1
echo "== build"
RUSTUP_TOOLCHAIN=$nightly "$cargo_fuzz" fuzz build --fuzz-dir "$here/libfuzzer" --target-dir "$target_dir" || exit 1

declare -A longest
names=()
while read -r name length; do
  longest[$name]=$length
  names+=("$name")
done <"$work/seeds/targets"
[ $# = 0 ] || names=("$@")

found=()
# One round of one target. What a target may take: 1 GiB in all, 256 MiB at once, 10 s for one input.
fuzz() {
  local name=$1 log=$work/$1.log status executions cpu TIMEFORMAT='%U %S'
  local artifacts=$work/artifacts/$name
  mkdir -p "$work/corpus/$name" "$artifacts"
  { time "$target_dir/$host/release/$name" -max_total_time="$seconds" -max_len="${longest[$name]:?no target is named $name}" \
    -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 -print_final_stats=1 -artifact_prefix="$artifacts/" \
    "$work/corpus/$name" "$work/seeds/$name" >"$log" 2>&1; } 2>"$log.time"
  status=$?
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  cpu=$(awk 'NF == 2 { print int($1 + $2) }' "$log.time" | tail -n 1)
  echo "$name: ${executions:-0} executions in ${cpu:-0} CPU seconds"
  if [ $status != 0 ]; then
    found+=("$name")
    grep -hE 'panicked at|ERROR|SUMMARY|Test unit written' -A 1 "$log" | head -n 20
    echo "to keep it: cp FILE $here/found/$name/ && cargo test -p isledb-fuzz --test replay" >&2
  fi
  [ "$until" = 0 ] || python3 tests/totals.py "$results" add "$name" \
    executions="${executions:-0}" cpu_seconds="${cpu:-0}" findings=$((status != 0))
}

if [ "$until" = 0 ]; then
  for name in "${names[@]}"; do fuzz "$name"; done
else
  left=1
  while [ $left = 1 ]; do
    left=0
    for name in "${names[@]}"; do
      # A target that has found something waits for its repair.
      [[ " ${found[*]-} " != *" $name "* ]] && [ "$(python3 tests/totals.py "$results" of "$name" cpu_seconds)" -lt "$until" ] || continue
      left=1
      fuzz "$name"
    done
  done
fi

[ ${#found[@]} = 0 ] || { echo "found something: ${found[*]}" >&2; exit 1; }
