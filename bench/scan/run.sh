#!/usr/bin/env bash
# How fast scans are as WebAssembly, in Node and in wasmtime, beside the native engine, in one run. usage: bench/scan/run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tests/setup.sh web
cargo run --quiet --locked -p isledb-web-build
echo "Node: $(node --version)"
node hosts/web/js/bench/scan.mjs
echo "wasmtime and native:"
cargo bench --quiet --locked -p isledb-wasmtime --bench scan
