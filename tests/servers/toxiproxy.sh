#!/usr/bin/env bash
# A TCP proxy with latency, bandwidth, cuts and lost answers, switched over HTTP while a test runs. Go. Proxies are made by
# POST /populate. A toxic's `toxicity` is drawn once a connection, not once a request.
. "$(dirname "$0")/serve.sh"

program=$(where toxiproxy) || exit $?
LOG_LEVEL=warn start "$program" -host 127.0.0.1 -port "$port" -seed 1
serves curl -sf "$endpoint/version"
stay "TOXIPROXY=$endpoint"
