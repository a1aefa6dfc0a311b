# Sourced by the server scripts beside it, which all work alike:
#
#   NAME.sh FOLDER PORT      FOLDER holds the server's data and log; PORT is free on 127.0.0.1
#
# installs the server if need be, starts it, waits until it serves, makes the bucket `isledb`, prints what a client needs as
# NAME=VALUE lines and then `ready`, and stays until its standard input ends: then the server is killed. So a server never
# outlives the test that holds the other end of the pipe, however that test ends. By hand: Ctrl-D.
# Status 3, with the reason on standard error: this machine cannot have the server.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:?usage: $(basename "$0") FOLDER PORT} port=${2:?usage: $(basename "$0") FOLDER PORT}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
endpoint=http://127.0.0.1:$port
bucket=isledb
server=

where() { "$here/../setup.sh" where "$1"; }

stop() {
  if [ -n "$server" ]; then
    kill -9 "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
}
trap stop EXIT
trap 'exit 143' INT TERM

# start COMMAND...: in the background, with its output in FOLDER/log.
start() {
  ! curl -s -o /dev/null "$endpoint/" || { echo "port $port is taken" >&2; exit 4; }
  "$@" </dev/null >"$folder/log" 2>&1 &
  server=$!
}

# serves COMMAND...: waits until the command succeeds, while the server lives, for a minute at most.
serves() {
  local tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if ! kill -0 "$server" 2>/dev/null || [ $tries -gt 1200 ]; then
      echo "the server does not serve:" >&2
      tail -n 20 "$folder/log" >&2
      exit 1
    fi
    sleep 0.05
  done
}

# stay NAME=VALUE...: tells the client, and waits for the end of standard input.
stay() {
  printf '%s\n' "$@" ready
  exec >&-
  cat >/dev/null
}
