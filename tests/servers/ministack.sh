#!/usr/bin/env bash
# S3 in memory, for machines without Go. Python. Holds `a` beside `a/b`. The header signature of its root key is not checked.
. "$(dirname "$0")/serve.sh"

program=$(where ministack) || exit $?
key=AKTEST secret=SKTESTSKTEST
# Bytecode files make its start three times faster; it binds every interface unless told not to.
unset PYTHONDONTWRITEBYTECODE
AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret AUTH=true BIND_HOST=127.0.0.1 GATEWAY_PORT=$port SERVICES=s3 LOG_LEVEL=WARNING \
  start "$program"
serves curl -sf "$endpoint/_localstack/health"
serves curl -sf -X PUT --user "$key:$secret" --aws-sigv4 aws:amz:us-east-1:s3 "$endpoint/$bucket"
stay "URL=s3://$bucket" "AWS_ENDPOINT=$endpoint" "AWS_ACCESS_KEY_ID=$key" "AWS_SECRET_ACCESS_KEY=$secret" AWS_REGION=us-east-1
