#!/usr/bin/env bash
# Packs every crate that is published, as a registry would get it. usage: tests/package.sh [--verify]
# --verify also builds each package from what was packed, which takes minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

crates=(isledb-core isledb isledb-wasmtime isledb-cli isledb-plugin isledb-plugin-build)
verify=(--no-verify)
[ "${1:-}" != --verify ] || verify=()
arguments=()
for crate in "${crates[@]}"; do arguments+=(-p "$crate"); done
cargo package --locked --offline --allow-dirty "${verify[@]}" "${arguments[@]}"

# What a crate reads from elsewhere in the repository must have come along.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
target=${CARGO_TARGET_DIR:-target}
tar -tf "$target/package/isledb-plugin-$version.crate" | grep -q '/wit/plugin.wit$' ||
  { echo "isledb-plugin is packed without its WIT" >&2; exit 1; }
