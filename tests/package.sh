#!/usr/bin/env bash
# Packs every crate that is published, and uses what was packed as a new user would. usage: tests/package.sh [--verify]
# --verify also builds each package by itself from what was packed, which takes minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}

# All but those that say `publish = false`.
published=$(cargo metadata --locked --offline --no-deps --format-version 1 |
  node -e 'const { packages } = JSON.parse(require("fs").readFileSync(0)); for (const one of packages) if (one.publish === null) console.log(one.name)')
arguments=()
for crate in $published; do arguments+=(-p "$crate"); done
[ "${1:-}" = --verify ] || arguments+=(--no-verify)
cargo package --quiet --locked --offline --allow-dirty "${arguments[@]}"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
user=$(mktemp -d)
trap 'rm -rf "$user"' EXIT
for crate in $published; do tar -xzf "$CARGO_TARGET_DIR/package/$crate-$version.crate" -C "$user"; done
# What a crate reads from elsewhere in the repository must have come along.
for file in isledb-plugin-$version/wit/plugin.wit isledb-wasmtime-$version/wit/storage/worlds.wit \
  isledb-component-$version/wit/storage/worlds.wit isledb-cli-$version/data/flights-2013-01.csv.zst; do
  [ -s "$user/$file" ] || { echo "$file is not packed" >&2; exit 1; }
done

# An empty crate, and `cargo add`. The packages stand in for crates.io, where `cargo add` would find them.
mkdir "$user/app"
cd "$user/app"
cargo init --quiet --vcs none --name app
cat >>Cargo.toml <<END

[patch.crates-io]
isledb-core = { path = "../isledb-core-$version" }
isledb = { path = "../isledb-$version" }
END
# The versions that the tests have: they are on this machine, and mostly compiled.
cp "$root/Cargo.lock" .
cargo add --quiet --offline --path "../isledb-$version" isledb
cargo add --quiet --offline tokio --features macros,rt-multi-thread
cat >src/main.rs <<'END'
use isledb::{read::ReaderOptions, write::WriterOptions};

#[tokio::main]
async fn main() -> isledb::Result<()> {
    let db = isledb::open("./bucket/db")?;
    let writer = db.writer(WriterOptions::default()).await?;
    writer.put(b"user/1", b"Ada").await?;
    writer.close().await?;
    let reader = db.reader(ReaderOptions::default()).await?;
    println!("{}", String::from_utf8_lossy(&reader.get(b"user/1").await?.unwrap_or_default()));
    Ok(())
}
END
said=$(cargo run --quiet --offline)
[ "$said" = Ada ] || { echo "a new user's program says $said" >&2; exit 1; }
echo "packed and used: $(echo $published)"
