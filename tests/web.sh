#!/usr/bin/env bash
# Builds the npm package and tests it: types, sizes, Node, and what a user gets from the tarball. usage: tests/web.sh
# Without node it says so and ends well, unless CI is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "web: skipped, there is no node on this machine" >&2
  [ -z "${CI:-}" ]
  exit
fi
tests/setup.sh web
cargo run --locked -p isledb-web-build -- --pack
cd hosts/web/js
node node_modules/typescript/bin/tsc -p test
node --test test/*.test.mjs
