"""jute.py - the bytes of ZooKeeper's protocol, written and read by hand.

Not a client library: it writes what no client would (negative counts, bodies cut
short), and a reply is read field by field, so that two servers' replies can be
compared after masking single fields. Rules 1, 5, 15, 24 and 54.
"""
import struct

NOTIFICATION, PING, AUTH, SET_WATCHES = -1, -2, -4, -8

OPS = {
    "create": 1, "delete": 2, "exists": 3, "getData": 4, "setData": 5,
    "getACL": 6, "setACL": 7, "getChildren": 8, "sync": 9, "ping": 11,
    "getChildren2": 12, "check": 13, "multi": 14, "create2": 15,
    "reconfig": 16, "checkWatches": 17, "removeWatches": 18,
    "createContainer": 19, "deleteContainer": 20, "createTTL": 21,
    "multiRead": 22, "auth": 100, "setWatches": 101, "getEphemerals": 103,
    "getAllChildrenNumber": 104, "setWatches2": 105, "addWatch": 106,
    "whoAmI": 107, "closeSession": -11,
}
NAMES = {number: name for name, number in OPS.items()}
EVENTS = {1: "NodeCreated", 2: "NodeDeleted", 3: "NodeDataChanged",
          4: "NodeChildrenChanged"}


def i32(n):
    return struct.pack(">i", n)


def i64(n):
    return struct.pack(">q", n)


def flag(b):
    return b"\1" if b else b"\0"


def buf(b):
    """None is written as length -1."""
    return i32(-1) if b is None else i32(len(b)) + b


def text(s):
    return buf(None if s is None else s.encode("utf-8", "surrogatepass"))


def vector(items, one):
    """None is written as count -1."""
    if items is None:
        return i32(-1)
    return i32(len(items)) + b"".join(one(item) for item in items)


def acl_entry(entry):
    perms, scheme, ident = entry
    return i32(perms) + text(scheme) + text(ident)


def frame(payload):
    return i32(len(payload)) + payload


class Short(Exception):
    """The bytes end before the record does."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Short()
        self.at += count
        return self.data[self.at - count:self.at]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def i32(self):
        return struct.unpack(">i", self.take(4))[0]

    def i64(self):
        return struct.unpack(">q", self.take(8))[0]

    def buf(self):
        """Bytes, or None; any negative length but -1 is told apart."""
        length = self.i32()
        if length == -1:
            return None
        if length < 0:
            return ("length", length)
        return self.take(length)

    def text(self):
        raw = self.buf()
        return raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw

    def vector(self, one):
        count = self.i32()
        if count == -1:
            return None
        if count < 0:
            return ("count", count)
        return [one() for _ in range(count)]
