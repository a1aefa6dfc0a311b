#!/usr/bin/env bash
# S3 over a folder: conditions on PUT, DELETE and multipart, strict signatures, CORS. Go.
# Objects are plain files in FOLDER/data, so `a` and `a/b` cannot both be objects.
. "$(dirname "$0")/serve.sh"

program=$(where versitygw) || exit $?
key=AKTEST secret=SKTESTSKTEST
mkdir -p "$folder/data/$bucket"
# Keep-alive is off without the flag. Buckets are hosts below s3.test as well, for clients that come by way of a proxy: this one.
ROOT_ACCESS_KEY=$key ROOT_SECRET_KEY=$secret start \
  "$program" --port "127.0.0.1:$port" --keep-alive --health /health --virtual-domain s3.test --quiet posix "$folder/data"
serves curl -sf "$endpoint/health"
stay "URL=s3://$bucket" "AWS_ENDPOINT=$endpoint" "AWS_ACCESS_KEY_ID=$key" "AWS_SECRET_ACCESS_KEY=$secret" AWS_REGION=us-east-1
