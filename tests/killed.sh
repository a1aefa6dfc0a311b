#!/usr/bin/env bash
# Kills writers and maintenance owners on real servers, some behind proxies that make faults, for longer than the tests of every run do.
# usage: tests/killed.sh [SECONDS [SEED [SPEED [SERVER...]]]]
#   SECONDS  of kills, 300 by default; another 10 to 20 follow without
#   SEED     which writes, kills and faults; printed, and a new one by default
#   SPEED    seconds that pass in a real one, 360 by default: then 300 s are more than a day, and orphans go too
#   SERVER   behind_haproxy, behind_toxiproxy (both versitygw), on_azurite, on_versitygw, on_ceph (a hundred megabytes of Debian's packages, the
#            first time); by default the first three, one after the other
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-300} seed=${2:-$RANDOM$RANDOM} speed=${3:-360}
shift $(($# < 3 ? $# : 3))
[ $# -gt 0 ] || set -- behind_haproxy behind_toxiproxy on_azurite
echo "again: tests/killed.sh $seconds $seed $speed $*"
export CI=true ISLEDB_KILLED_SECONDS=$seconds ISLEDB_KILLED_SEED=$seed ISLEDB_KILLED_SPEED=$speed
exec cargo test --locked -p isledb --test maintained_processes -- --nocapture --test-threads 1 "${@/#/killed_}"
