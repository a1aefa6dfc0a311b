#!/usr/bin/env bash
# Azure Blob Storage in memory. Node.
. "$(dirname "$0")/serve.sh"

program=$(where azurite) || exit $?
# The emulator's account and key, the same everywhere and no secret.
account=devstoreaccount1
key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
start "$program" --blobHost 127.0.0.1 --blobPort "$port" --silent --disableTelemetry --skipApiVersionCheck --inMemoryPersistence
serves node "$here/azure_container.mjs" "$endpoint" "$account" "$key" "$bucket"
stay "URL=az://$bucket" "AZURE_STORAGE_ACCOUNT_NAME=$account" "AZURE_STORAGE_ACCOUNT_KEY=$key" "AZURE_STORAGE_ENDPOINT=$endpoint/$account"
