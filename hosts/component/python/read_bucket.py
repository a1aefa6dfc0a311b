"""Reads a bucket in a local folder through isledb's component. usage: read_bucket.py COMPONENT FOLDER PREFIX KEY...
Needs `pip install wasmtime==50.0.1`; `cargo run -p isledb-component-build -- reader-blocking` makes the component."""
import hashlib, os, pathlib, sys, time
from wasmtime import Engine, Store
from wasmtime.component import Component, Linker, Record, Variant

def record(**fields):
    return type("Fields", (Record,), {name.replace("_", "-"): value for name, value in fields.items()})()

def open_bucket(engine, component, folder, prefix):
    """Opens a database. Returns what calls the functions of wit/storage/read-blocking.wit, and what to call them on."""
    def read(key, part=None):  # No key leads out of the folder.
        path, root = (pathlib.Path(folder) / key).resolve(), pathlib.Path(folder).resolve()
        if not (path.is_relative_to(root) and path.is_file()):
            return record(code="not-found", message="there is no such file", retryable=False)
        return path.read_bytes()[slice(part.start, part.end) if part else slice(None)]
    def get(_, key, options):
        if isinstance(body := read(key), Record):
            return Variant("err", body)
        meta = record(key=key, size=len(body), version=hashlib.sha256(body).hexdigest(), last_modified_ms=None)
        if getattr(options, "if-none-match") == meta.version:
            return Variant("err", record(code="not-modified", message="it is as it was", retryable=False))
        part = options.range or record(start=0, end=len(body))
        return Variant("ok", record(meta=meta, range=part, body=body[part.start : part.end]))
    host = {"now-unix-ns": lambda _: time.time_ns(), "monotonic-ns": lambda _: time.monotonic_ns(),
            "fill-random": lambda _, length: os.urandom(length), "panicked": lambda _, message: print(message, file=sys.stderr)}
    objects = {"get": get, "get-ranges": lambda _, requests: [read(one.key, one.range) for one in requests],
               "sleep-ms": lambda _, ms: time.sleep(ms / 1000)}
    linker, store = Linker(engine), Store(engine)
    for interface, functions in {"types": {}, "database": {}, "host": host, "object-store-blocking": objects}.items():
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
    defaults = "cache-bytes refresh-after-ms read-ahead-bytes attempt-timeout-ms retry-deadline-ms".split()
    return call, call("[static]database.open", prefix, record(**dict.fromkeys(defaults)))

if __name__ == "__main__":
    engine = Engine()
    call, database = open_bucket(engine, Component.from_file(engine, sys.argv[1]), *sys.argv[2:4])
    for key in sys.argv[4:]:
        print(call("[method]database.get", database, key.encode()))
