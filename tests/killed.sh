#!/usr/bin/env bash
# Kills writers and maintenance owners on a real S3 server for longer than the test of every run does.
# usage: tests/killed.sh [SECONDS [SEED [SPEED]]]
#   SECONDS  of kills, 300 by default; another 10 to 20 follow without
#   SEED     which writes and which kills; printed, and a new one by default
#   SPEED    seconds that pass in a real one, 360 by default: then 300 s are more than a day, and orphans go too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-300} seed=${2:-$RANDOM$RANDOM} speed=${3:-360}
echo "again: tests/killed.sh $seconds $seed $speed"
export CI=true ISLEDB_KILLED_SECONDS=$seconds ISLEDB_KILLED_SEED=$seed ISLEDB_KILLED_SPEED=$speed
exec cargo test --locked -p isledb --test maintained_processes killed -- --nocapture
