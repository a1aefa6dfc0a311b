#!/usr/bin/env bash
# Google Cloud Storage in memory: JSON and XML, generation conditions on every verb. Go; built from gcs/ beside this file.
# Signatures and tokens are not checked.
. "$(dirname "$0")/serve.sh"

program=$(where gcs) || exit $?
start "$program" "127.0.0.1:$port"
serves curl -sf "$endpoint/storage/v1/b?project=isledb"
serves curl -sf "$endpoint/storage/v1/b?project=isledb" -H 'content-type: application/json' -d "{\"name\":\"$bucket\"}"
stay "URL=gs://$bucket" \
  "GOOGLE_SERVICE_ACCOUNT_KEY={\"gcs_base_url\":\"$endpoint\",\"disable_oauth\":true,\"client_email\":\"\",\"private_key\":\"\",\"private_key_id\":\"\"}"
