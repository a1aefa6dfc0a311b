"""Reads the buckets that the original wrote as `read_bucket.py` does, and compares with their `expected.json`.

usage: test_fixtures.py COMPONENT BUCKETS
"""
import base64, hashlib, json, pathlib, sys
from wasmtime import Engine
from wasmtime.component import Component
from read_bucket import open_bucket, record


def entries(call, database):
    """All of them, a page at a time."""
    scan = call("[method]database.scan", database, record(start=None, end=None, prefix=None, limit=None, reverse=False))
    while page := call("[method]scan.next-page", scan, 1000, 1 << 20):
        yield from page


engine = Engine()
component = Component.from_file(engine, sys.argv[1])
buckets = sorted(pathlib.Path(sys.argv[2]).glob("*/expected.json"))
for file in buckets:
    expected = json.loads(file.read_text())
    # In this one the original's Get is right and its Scan is not, see the README of the buckets.
    hidden = {one["key"] for one in expected["get_mismatches"]} if file.parent.name == "orphan-equal-seq" else set()
    wanted = [(one["key"], one["len"], one["sha256"]) for one in expected["entries"] if one["key"] not in hidden]
    call, database = open_bucket(engine, component, file.parent / "bucket", expected["prefix"])
    found = [(base64.b64encode(one.key).decode(), len(one.value), hashlib.sha256(one.value).hexdigest()) for one in entries(call, database)]
    assert found == wanted, f"{file.parent.name}: {found} instead of {wanted}"
    for key, length, _ in wanted[:3]:
        assert len(call("[method]database.get", database, base64.b64decode(key))) == length, f"{file.parent.name}: {key}"
    assert call("[method]database.get", database, b"no such key") is None
print(f"{len(buckets)} buckets")
