"""What long runs came to, over all of them: a file of JSON, one line a name.

usage: totals.py FILE of NAME KEY             prints one total, 0 where there is none
       totals.py FILE add NAME KEY=NUMBER...  adds to the totals; runs that end at the same time wait for one another
"""

import fcntl
import json
import os
import sys


def read(path):
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def add(path, name, more):
    # The folder is locked, since the file is replaced.
    lock = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    totals = read(path)
    line = totals.setdefault(name, {})
    for key, number in more:
        line[key] = line.get(key, 0) + number
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(totals[name])}" for name in sorted(totals))
    with open(path + ".new", "w") as out:
        out.write("{\n" + lines + "\n}\n")
    os.replace(path + ".new", path)


def main():
    match sys.argv[1:]:
        case [path, "of", name, key]:
            print(read(path).get(name, {}).get(key, 0))
        case [path, "add", name, *more] if more:
            split = [item.partition("=") for item in more]
            add(path, name, [(key, int(number)) for key, _, number in split])
        case _:
            sys.exit(__doc__)


main()
