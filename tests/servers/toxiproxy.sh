#!/usr/bin/env bash
# A TCP proxy before another server, with latency, bandwidth, cuts and lost answers, switched over HTTP while a test runs. Go. A third
# argument names the server, HOST:PORT. A toxic's `toxicity` is drawn once a connection, not once a request.
. "$(dirname "$0")/serve.sh"

upstream=${3:?usage: toxiproxy.sh FOLDER PORT HOST:PORT}
program=$(where toxiproxy) || exit $?
LOG_LEVEL=warn start "$program" -host 127.0.0.1 -port "$port" -seed 1
serves curl -sf "$endpoint/version"
# Port 0: the proxy listens on one that is free, and says on which.
made=$(curl -sf "$endpoint/proxies" -d "{\"name\":\"server\",\"listen\":\"127.0.0.1:0\",\"upstream\":\"$upstream\",\"enabled\":true}")
listen=$(sed -n 's/.*"listen":"\([^"]*\)".*/\1/p' <<<"$made")
stay "ENDPOINT=http://$listen" "TOXIPROXY=$endpoint"
