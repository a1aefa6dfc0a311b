#!/usr/bin/env bash
# Tries the inspector and the package in Chromium and Firefox. usage: tests/browser/run.sh [FILE...]
#
# Without files: all tests, each browser launched once. ISLEDB_BLESS=1 writes the pictures in docs/inspector anew. A browser
# that this machine cannot have is skipped by name; with CI=true that is a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"

command -v node >/dev/null || {
  echo "browser: skipped: no node on this machine" >&2
  [ -z "${CI:-}" ] || exit 1
  exit 0
}
tests/setup.sh browsers
cargo build --locked -p isledb-cli
www/build.sh
export ISLEDB_COMMAND=${CARGO_TARGET_DIR:-$root/target}/debug/isledb
if [ $# = 0 ]; then set -- "$here/all.mjs"; fi
for file in "$@"; do node --test-reporter=spec "$file"; done
