#!/usr/bin/env bash
# S3 by MinIO, one drive in a folder. Go, and minutes to build it: for whoever asks for it by name. Its objects are folders, so a
# listing leaves `a/b` out beside an object `a`.
. "$(dirname "$0")/serve.sh"

program=$(where minio) || exit $?
key=AKTEST secret=SKTESTSKTEST
mkdir -p "$folder/data/$bucket"
MINIO_ROOT_USER=$key MINIO_ROOT_PASSWORD=$secret MINIO_BROWSER=off MINIO_UPDATE=off start \
  "$program" server --quiet --address "127.0.0.1:$port" "$folder/data"
serves curl -sf "$endpoint/minio/health/ready"
stay "URL=s3://$bucket" "AWS_ENDPOINT=$endpoint" "AWS_ACCESS_KEY_ID=$key" "AWS_SECRET_ACCESS_KEY=$secret" AWS_REGION=us-east-1
