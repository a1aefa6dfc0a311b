#!/usr/bin/env bash
# Runs the conformance cases, as WebAssembly, in every host that runs JavaScript. usage: tests/hosts.sh [HOST...]
# Without node it says so and ends well, unless CI is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "hosts: skipped, there is no node on this machine" >&2
  [ -z "${CI:-}" ]
  exit
fi
tests/setup.sh web
node tests/conformance/js/run.mjs "$@"
