#!/usr/bin/env bash
# Fuzzes targets, as many at a time as there are cores. usage:
#   tests/fuzz/run.sh [SECONDS] [TARGET...]           each target (default: all) for so many seconds (default 30)
#   tests/fuzz/run.sh --until CPU_SECONDS [TARGET...] rounds of a minute, until each target has had so much in all; what each
#                                                     round came to is added to results.json, so it may be stopped and begun again
# Status 0: nothing was found. 1: something was; its input is named. 3: this machine cannot fuzz, with the reason.
# A corpus grows from run to run, in the folder of the tools.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
cd "$root" || exit 1

until=0 seconds=30
if [ "${1:-}" = --until ]; then
  until=${2:?usage: run.sh --until CPU_SECONDS [TARGET...]} seconds=60
  shift 2
elif [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi

nightly=$(tests/setup.sh where nightly) || exit 3
cargo_fuzz=$(tests/setup.sh where cargo-fuzz) || exit 3
work=$(tests/setup.sh folder)/fuzz
results=$here/results.json
at_a_time=$(nproc)
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
for name in "${names[@]}"; do
  [ -n "${longest[$name]:-}" ] || { echo "no target is named $name" >&2; exit 2; }
done

# Which targets found something in this run: a file for each, since each runs in a shell of its own.
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
# Who is stopped takes its fuzzers along.
trap 'kill $(jobs -rp) 2>/dev/null; wait; exit 130' INT TERM

# One round of one target, in a shell of its own; its lines are printed together. What a target may take: 1 GiB in all, 256 MiB
# at once, 10 s for one input.
fuzz() {
  local name=$1 log=$work/$1.log status executions cpu fuzzer stopped=
  local artifacts=$work/artifacts/$name
  trap - EXIT
  trap 'stopped=1; kill "$fuzzer" 2>/dev/null' TERM
  mkdir -p "$work/corpus/$name" "$artifacts"
  "$target_dir/$host/release/$name" -max_total_time="$seconds" -max_len="${longest[$name]}" \
    -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 -print_final_stats=1 -artifact_prefix="$artifacts/" \
    "$work/corpus/$name" "$work/seeds/$name" >"$log" 2>&1 &
  fuzzer=$!
  wait $fuzzer
  status=$?
  [ -z "$stopped" ] || return
  # The second line: what the children of this shell used.
  times >"$log.time"
  cpu=$(awk 'NR == 2 { split($1, u, "[ms]"); split($2, s, "[ms]"); print int(60 * (u[1] + s[1]) + u[2] + s[2]) }' "$log.time")
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  {
    flock 8
    echo "$name: ${executions:-0} executions in ${cpu:-0} CPU seconds"
    if [ $status != 0 ]; then
      touch "$found/$name"
      grep -hE 'panicked at|ERROR|SUMMARY|Test unit written' -A 1 "$log" | head -n 20
      echo "to keep it: cp FILE $here/found/$name/ && cargo test -p isledb-fuzz --test replay"
    fi
  } 8>"$work/output.lock"
  [ "$until" = 0 ] || python3 tests/totals.py "$results" add "$name" \
    executions="${executions:-0}" cpu_seconds="${cpu:-0}" findings=$((status != 0))
}

# Begins a round once a core is free.
begin() {
  while [ "$(jobs -rp | wc -l)" -ge "$at_a_time" ]; do wait -n; done
  fuzz "$1" &
}

# A target that has found something waits for its repair.
wants_more() {
  [ ! -e "$found/$1" ] && [ "$(python3 tests/totals.py "$results" of "$1" cpu_seconds)" -lt "$until" ]
}

echo "== fuzz, $at_a_time targets at a time"
if [ "$until" = 0 ]; then
  for name in "${names[@]}"; do begin "$name"; done
  wait
else
  left=1
  while [ $left = 1 ]; do
    left=0
    for name in "${names[@]}"; do
      wants_more "$name" || continue
      left=1
      begin "$name"
    done
    wait
  done
fi

[ -z "$(ls "$found")" ] || { echo "found something:" $(ls "$found") >&2; exit 1; }
