#!/usr/bin/python3
"""kazoo against one server: connect, create, read, watch, transaction, words.

    kazoo_smoke.py 127.0.0.1:2181

Ends with 0 and "ok", or with what went wrong. With python3-kazoo not installed it
says so and ends with 77.
"""
import sys
import threading

try:
    from kazoo.client import KazooClient
    from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
except ImportError:
    print("python3-kazoo is not installed: NOT tested")
    sys.exit(77)


def refused(error, call, *args, **named):
    try:
        call(*args, **named)
    except error:
        return
    raise AssertionError("%s was not raised" % error.__name__)


def main(hosts):
    one, two = KazooClient(hosts=hosts), KazooClient(hosts=hosts)
    one.start(timeout=10)
    two.start(timeout=10)

    one.create("/smoke", b"first")
    refused(NodeExistsError, two.create, "/smoke", b"")
    data, stat = two.get("/smoke")
    assert data == b"first" and stat.version == 0

    seen, told = [], threading.Event()

    def watch(event):
        seen.append((event.type, event.path))
        told.set()

    two.get("/smoke", watch=watch)
    one.set("/smoke", b"second", version=0)
    refused(BadVersionError, one.set, "/smoke", b"x", version=0)
    assert told.wait(10) and seen == [("CHANGED", "/smoke")], seen

    path = one.create("/smoke/e-", b"", ephemeral=True, sequence=True)
    assert path == "/smoke/e-0000000000", path
    assert two.get_children("/smoke") == ["e-0000000000"]
    one.stop()
    assert two.get_children("/smoke") == []

    t = two.transaction()
    t.create("/smoke/a", b"1")
    t.check("/smoke", version=1)
    t.delete("/smoke/a")
    assert t.commit() == ["/smoke/a", True, True]
    two.set("/smoke", b"x" * 500000)
    assert len(two.get("/smoke")[0]) == 500000
    answers = [two.get_async("/smoke") for _ in range(200)]
    assert all(len(a.get(timeout=20)[0]) == 500000 for a in answers)
    two.delete("/smoke", recursive=True)
    refused(NoNodeError, two.get, "/smoke")
    assert "\nMode: standalone\n" in two.command(b"srvr")
    two.stop()
    two.close()
    print("ok")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
