"""Reads a bucket in a local folder through isledb's component. usage: read_bucket.py COMPONENT FOLDER PREFIX [KEY]

    pip install wasmtime==50.0.1
    cargo run -p isledb-component-build -- reader-blocking
"""
import hashlib, os, pathlib, sys, time
from wasmtime import Engine, Store
from wasmtime.component import Component, Linker, Record, Variant


def record(**fields):
    made = Record()
    made.__dict__.update({name.replace("_", "-"): value for name, value in fields.items()})
    return made


def open_bucket(engine, component, folder, prefix):
    """Opens a database; returns a function that calls the functions of `wit/storage/read-blocking.wit`, and what it is called on."""
    root = pathlib.Path(folder).resolve()

    def read(key):  # No key leads out of the folder.
        path = (root / key).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path.read_bytes()
        return record(code="not-found", message="there is no such file", retryable=False)

    def get(_, key, options):
        body = read(key)
        if isinstance(body, Record):
            return Variant("err", body)
        meta = record(key=key, size=len(body), version=hashlib.sha256(body).hexdigest(), last_modified_ms=None)
        if getattr(options, "if-none-match") == meta.version:
            return Variant("err", record(code="not-modified", message="it is as it was", retryable=False))
        part = options.range or record(start=0, end=len(body))
        return Variant("ok", record(meta=meta, range=part, body=body[part.start : part.end]))

    def get_ranges(_, requests):
        bodies = [(read(one.key), one.range) for one in requests]
        return [body if isinstance(body, Record) else body[part.start : part.end] for body, part in bodies]

    imports = {
        "types": {},
        "database": {},
        "host": {
            "now-unix-ns": lambda _: time.time_ns(),
            "monotonic-ns": lambda _: time.monotonic_ns(),
            "fill-random": lambda _, length: os.urandom(length),
            "panicked": lambda _, message: print(message, file=sys.stderr),
        },
        "object-store-blocking": {"sleep-ms": lambda _, ms: time.sleep(ms / 1000), "get": get, "get-ranges": get_ranges},
    }
    linker, store = Linker(engine), Store(engine)
    for interface, functions in imports.items():
        with linker.root() as all, all.add_instance(f"isledb:storage/{interface}@0.1.0") as instance:
            for name, function in functions.items():
                instance.add_func(name, function)
    linker.define_unknown_imports_as_traps(component)  # A reader asks for nothing else.
    instance = linker.instantiate(store, component)
    exports = instance.get_export_index(store, "isledb:storage/read-blocking@0.1.0")

    def call(name, *arguments):
        answer = instance.get_func(store, instance.get_export_index(store, name, exports))(store, *arguments)
        if hasattr(answer, "retryable"):
            raise RuntimeError(f"{answer.code}: {answer.message}")
        return answer

    defaults = ["cache-bytes", "refresh-after-ms", "read-ahead-bytes", "attempt-timeout-ms", "retry-deadline-ms"]
    return call, call("[static]database.open", prefix, record(**dict.fromkeys(defaults)))


def entries(call, database):
    """All of them, a page at a time."""
    scan = call("[method]database.scan", database, record(start=None, end=None, prefix=None, limit=None, reverse=False))
    while page := call("[method]scan.next-page", scan, 1000, 1 << 20):
        yield from page


if __name__ == "__main__":
    engine = Engine()
    call, database = open_bucket(engine, Component.from_file(engine, sys.argv[1]), *sys.argv[2:4])
    if len(sys.argv) > 4:
        print(call("[method]database.get", database, sys.argv[4].encode()))
    else:
        for entry in entries(call, database):
            print(entry.sequence, entry.key, len(entry.value))
