#!/usr/bin/env bash
# An HTTP proxy before another server, with latency and faults drawn for each request, switched over a socket while a test runs:
# see haproxy.cfg. From Debian. A third argument names the server, HOST:PORT.
. "$(dirname "$0")/serve.sh"

upstream=${3:?usage: haproxy.sh FOLDER PORT HOST:PORT}
program=$(where haproxy) || exit $?
export ISLEDB_PROXY_LISTEN=127.0.0.1:$port ISLEDB_PROXY_UPSTREAM=$upstream ISLEDB_PROXY_SOCKET=$folder/control ISLEDB_PROXY_DELAY=$here/haproxy.lua
start "$program" -db -f "$here/haproxy.cfg"
# Any answer will do: that of the server to a stranger is a refusal.
serves curl -s -o "$folder/answer" "$endpoint/"
stay "ENDPOINT=$endpoint" "HAPROXY=$folder/control"
