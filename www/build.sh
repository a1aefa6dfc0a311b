#!/usr/bin/env bash
# Puts the package beside the page, which loads it as ./isledb/isledb.js: after this, www/ is whole and any static server serves
# it. Builds the package if it is not there; `--fresh` builds it anyhow.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=hosts/web/js/dist
if [ "${1:-}" = --fresh ] || [ ! -e $package/isledb.js ]; then cargo run --locked -p isledb-web-build; fi
rm -rf www/isledb
mkdir www/isledb
cp -R $package/. www/isledb/
echo "www/ is ready: serve it by anything, for example  python3 -m http.server -d www"
