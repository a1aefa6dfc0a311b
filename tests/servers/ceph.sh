#!/usr/bin/env bash
# S3 by Ceph's gateway over a cluster of one monitor and one store in memory. Debian's packages, for whoever asks for it by name.
# Its If-Match wants an ETag without quotes, and it answers some who lose a race by 500.
. "$(dirname "$0")/serve.sh"

where ceph >/dev/null || exit $?
key=AKTEST secret=SKTESTSKTEST
pids=()
stop() {
  if [ ${#pids[@]} -gt 0 ]; then
    kill -9 "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
  fi
}
# serves() watches the one that was started last.
begin() { start "$@"; pids+=("$server"); }

cluster=$(cat /proc/sys/kernel/random/uuid) store=$(cat /proc/sys/kernel/random/uuid)
monitor="[v2:127.0.0.1:$((port + 1))]"
mkdir -p "$folder"/{mon,osd,run,logs,rgw}
export CEPH_CONF=$folder/ceph.conf
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $cluster
mon host = $monitor
auth allow insecure global id reclaim = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = $folder/run
log file = $folder/logs/\$name.log
admin socket = $folder/run/\$name.\$pid.asok
pid file = $folder/run/\$name.pid
crash dir = $folder/run
mon data = $folder/mon
mon allow pool size one = true
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[osd]
osd objectstore = memstore
memstore device bytes = 4294967296
osd data = $folder/osd
keyring = $folder/osd/keyring
[client]
keyring = $folder/keyring
rgw data = $folder/rgw
# Without tcp_nodelay every get takes 40 ms.
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw enable ops log = false
rgw enable usage log = false
rgw relaxed region enforcement = true
CONF

quietly() { "$@" >>"$folder/logs/setup" 2>&1 || { tail -n 20 "$folder/logs/setup" >&2; exit 1; }; }
quietly ceph-authtool -C "$folder/mon.keyring" --gen-key -n mon. --cap mon 'allow *'
quietly ceph-authtool -C "$folder/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
quietly ceph-authtool "$folder/mon.keyring" --import-keyring "$folder/keyring"
quietly monmaptool --create --fsid "$cluster" --addv a "$monitor" "$folder/monmap"
quietly ceph-mon --mkfs -i a --monmap "$folder/monmap" --keyring "$folder/mon.keyring"
begin ceph-mon -i a -f
serves timeout 5 ceph -s
quietly ceph osd new "$store"
ceph auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' >"$folder/osd/keyring" 2>>"$folder/logs/setup"
quietly ceph-osd -i 0 --mkfs --osd-uuid "$store"
begin ceph-osd -i 0 -f
serves sh -c 'ceph osd stat | grep -q "1 up"'
quietly radosgw-admin user create --uid=isledb --display-name=isledb "--access-key=$key" "--secret=$secret"
begin radosgw -n client.admin -f
serves curl -s -o "$folder/answer" "$endpoint/"
# The hash of an empty body: the gateway wants it signed, and curl does not add it.
empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
serves curl -sf -X PUT -H "x-amz-content-sha256: $empty" --user "$key:$secret" --aws-sigv4 aws:amz:us-east-1:s3 "$endpoint/$bucket"
stay "URL=s3://$bucket" "AWS_ENDPOINT=$endpoint" "AWS_ACCESS_KEY_ID=$key" "AWS_SECRET_ACCESS_KEY=$secret" AWS_REGION=us-east-1
