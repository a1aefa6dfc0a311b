#!/usr/bin/env bash
# Builds the package and puts it beside the page, which loads it as ./isledb/web.js: after this www/ is whole, and any static
# server serves it. `--copy`: takes the package as it was built before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" != --copy ]; then
  tests/setup.sh web
  cargo run --locked -p isledb-web-build -- reader
fi
package=hosts/web/js/dist
rm -rf www/isledb
mkdir -p www/isledb/wasm
cp -R $package/wasm/reader www/isledb/wasm/
# What a browser loads to read: no types, and nothing of the other hosts.
(cd $package && find . -name '*.js' ! -path './wasm/*' ! -name '*node.js' ! -name '*workerd.js' ! -name '*full*' ! -name '*verify*') |
  while read -r file; do
    mkdir -p "www/isledb/$(dirname "$file")"
    cp "$package/$file" "www/isledb/$file"
  done
