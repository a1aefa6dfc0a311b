#!/usr/bin/env bash
# How long the engine takes until it serves: in wasmtime, Chromium and workerd. usage: bench/startup/run.sh
# What this machine cannot have is named and left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tests/setup.sh web browsers
www/build.sh
node bench/startup/javascript.mjs
cargo bench --locked -p isledb-wasmtime --bench startup
