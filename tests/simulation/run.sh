#!/usr/bin/env bash
# Long runs of the simulation, on all cores. usage:
#   tests/simulation/run.sh --until SEEDS     rounds of new seeds, until each scenario has had so many in all; what each round came
#                                             to is added to results.json, so it may be stopped and begun again
#   tests/simulation/run.sh --mutations CATCHES MOST [MUTATION]
#                                             for each deliberate bug the seeds that catch it, until so many did or MOST were run
# Status 0: nothing was found. 1: a seed fails; the commands that replay it, as it is and shrunk, are printed.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
cd "$root" || exit 1
results=$here/results.json
target=${CARGO_TARGET_DIR:-$root/target}
usage='usage: run.sh --until SEEDS | --mutations CATCHES MOST [MUTATION]'

build() {
  cargo build --quiet --locked --profile simulation -p isledb-simulation "$@" || exit 1
  # A later build, with other features, takes the place of this one.
  simulate=$target/simulation/simulate.$$
  cp "$target/simulation/simulate" "$simulate" || exit 1
  trap 'rm -f "$simulate"' EXIT
}

case ${1:-} in
  --until)
    until=${2:?$usage}
    build
    round=2000 left=1 failed=0
    while [ $left = 1 ] && [ $failed = 0 ]; do
      left=0
      for scenario in publishers engine; do
        first=$(python3 tests/totals.py "$results" of "$scenario" seeds)
        [ "$first" -lt "$until" ] || continue
        left=1
        TIMEFORMAT='%U %S'
        { time "$simulate" run "$scenario" "$first" "$round" --threads "$(nproc)" >"$simulate.out"; } 2>"$simulate.time"
        status=$?
        cat "$simulate.out"
        read -r _ seeds _ flushes _ < <(head -n 1 "$simulate.out")
        cpu=$(awk 'NF == 2 { print int($1 + $2 + 0.5) }' "$simulate.time" | tail -n 1)
        rm -f "$simulate.out" "$simulate.time"
        [ $status = 0 ] || failed=1
        python3 tests/totals.py "$results" add "$scenario" \
          seeds="${seeds:-0}" flushes="${flushes:-0}" cpu_seconds="${cpu:-0}" failures="$failed"
        [ $failed = 0 ] || break
      done
    done
    exit $failed
    ;;
  --mutations)
    build --features mutations
    "$simulate" search "${4:-all}" "${2:?$usage}" "${3:?$usage}"
    ;;
  *)
    echo "$usage" >&2
    exit 2
    ;;
esac
