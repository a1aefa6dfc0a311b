#!/usr/bin/env bash
# Installs what the tests need and runs all of them. usage: tests/run.sh
# Every step runs, also after a failure; the last lines say which failed, and the status is 0 only if none did.
# CI=true: a missing server is a failure, and the simulation runs all its seeds.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=()
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  if "$@"; then
    echo "== $name: done in $((SECONDS - start)) s"
  else
    echo "== $name: FAILED after $((SECONDS - start)) s" >&2
    failed+=("$name")
  fi
}

# A machine without a nightly compiler or cargo-fuzz is told so; in CI that fails.
fuzz() {
  tests/fuzz/run.sh "$@"
  local status=$?
  [ $status != 3 ] || [ -n "${CI:-}" ] || { echo "not fuzzed: this machine cannot, see above"; return 0; }
  return $status
}

# Servers and tools are installed beside the first compilations, on one core; a test that needs one waits for it.
step rust tests/setup.sh rust
tests/setup.sh servers tables browsers fuzz &
installing=$!
trap 'kill $installing 2>/dev/null' EXIT

step format cargo fmt --all --check
# Core is one source for every host: with and without its writer half, on the target that has no threads, clock or files.
step wasm cargo check --locked -p isledb-core --target wasm32-unknown-unknown
step wasm-reader cargo check --locked -p isledb-core --target wasm32-unknown-unknown --no-default-features
step lints cargo clippy --locked --workspace --all-targets -- -D warnings
# The half of the web host that only its own target compiles.
step web-lints cargo clippy --locked -p isledb-web --no-deps --features full,verify --target wasm32-unknown-unknown -- -D warnings
# The whole workspace again: so nothing but the command has other features, and is built a second time.
step lints-plugins cargo clippy --locked --workspace --features isledb-cli/plugins --all-targets -- -D warnings
step install wait $installing
step web tests/web.sh
# The conformance cases, as WebAssembly in every host that runs JavaScript.
step hosts tests/hosts.sh
# The inspector and the package in Chromium and Firefox.
step browser tests/browser/run.sh
step tests cargo test --locked --workspace --no-fail-fast
# A build of core with deliberate bugs in it; the features of the workspace's own tests do not have them.
step mutations cargo test --locked -p isledb-simulation --features mutations --test mutations
# Each decoder on bytes made up by libFuzzer.
step fuzz fuzz 30
step plugins cargo test --locked --workspace --features isledb-cli/plugins --test plugins

printf '\n'
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
echo "all steps done in $SECONDS s"
