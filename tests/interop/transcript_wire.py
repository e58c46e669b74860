"""transcript_wire.py - requests and replies of the side-by-side transcript: how
each is written, and how a reply is read into fields with what differs by nature
(times, session ids, zxid offsets) masked.

Every byte of a reply ends up in a field: what is left over is a field of its own.
"""
import struct

from jute import (EVENTS, OPS, Reader, Short, acl_entry, buf, flag, i32, i64,
                  text, vector)

BAD_PATHS = [
    "/a/", "//a", "/a//b", "/./a", "/a/..", "/a/../b", "/a\0b", "/a\x01b",
    "/a\x7fb", "/a\x9fb", "/\ufff0", "/\ue000", "a", "/...", "/a/.b",
    "/\U0001f600",
]
CONTAINER_OWNER = -(1 << 63)
TTL_OWNER = 0xFF


class Request:
    """One request; `fields` may speak of a zxid by its offset from the start."""

    def __init__(self, op, **fields):
        self.op, self.fields = op, fields
        self.raw = None  # a body in place of the encoded one
        self.cut = None  # keep so many bytes of the body only
        self.more = b""  # bytes behind the body

    def __str__(self):
        said = " ".join("%s=%r" % kv for kv in self.fields.items() if kv[0] != "ops")
        if self.raw is not None:
            said = "raw body %r" % self.raw
        if self.cut is not None:
            said += " cut after %d bytes" % self.cut
        if self.more:
            said += " followed by %r" % self.more
        return "%s %s" % (self.op, said)

    def type(self):
        return self.op if isinstance(self.op, int) else OPS[self.op]

    def xid(self, count):
        if self.op == "ping":
            return -2
        if self.op == "auth":
            return -4
        return -8 if self.op in ("setWatches", "setWatches2") else count

    def body(self, side):
        if self.raw is not None:
            return self.raw
        whole = BODY[self.op](self.fields, side) if self.op in BODY else b""
        return (whole if self.cut is None else whole[:self.cut]) + self.more

    def encode(self, count, side):
        return i32(self.xid(count)) + i32(self.type()) + self.body(side)


# ---- bodies of requests ---------------------------------------------------------

def path_watch(f, _):
    return text(f["path"]) + flag(f["watch"])


def path_only(f, _):
    return text(f["path"])


def create(f, _):
    return (text(f["path"]) + buf(f["data"]) + vector(f["acl"], acl_entry) +
            i32(f["flags"]))


def create_ttl(f, side):
    return create(f, side) + i64(f["ttl"])


def path_version(f, _):
    return text(f["path"]) + i32(f["version"])


def set_data(f, _):
    return text(f["path"]) + buf(f["data"]) + i32(f["version"])


def set_acl(f, _):
    return text(f["path"]) + vector(f["acl"], acl_entry) + i32(f["version"])


def path_int(f, _):
    return text(f["path"]) + i32(f["kind"])


def set_watches(f, side):
    return i64(side.zxid(f["since"])) + b"".join(
        vector(paths, text) for paths in f["paths"])


def multi(f, side):
    parts = [i32(one.type()) + flag(False) + i32(-1) + one.body(side)
             for one in f["ops"]]
    return b"".join(parts) + i32(-1) + flag(True) + i32(-1)


def auth(f, _):
    return i32(0) + text(f["scheme"]) + buf(f["cred"])


def reconfig(_, __):
    return text("server.1=127.0.0.1:1:2") + text(None) + text(None) + i64(-1)


BODY = {
    "create": create, "create2": create, "createContainer": create,
    "createTTL": create_ttl, "delete": path_version, "exists": path_watch,
    "getData": path_watch, "setData": set_data, "getACL": path_only,
    "setACL": set_acl, "getChildren": path_watch, "getChildren2": path_watch,
    "sync": path_only, "check": path_version, "multi": multi,
    "multiRead": multi, "reconfig": reconfig, "checkWatches": path_int,
    "removeWatches": path_int, "addWatch": path_int, "setWatches": set_watches,
    "setWatches2": set_watches, "getEphemerals": path_only,
    "getAllChildrenNumber": path_only, "auth": auth,
    "deleteContainer": path_only,
}


# ---- bodies of replies ------------------------------------------------------------

def read_stat(r, side):
    czxid, mzxid, ctime, mtime = r.i64(), r.i64(), r.i64(), r.i64()
    version, cversion, aversion = r.i32(), r.i32(), r.i32()
    owner, length, children, pzxid = r.i64(), r.i32(), r.i32(), r.i64()
    return ("stat", side.mask_zxid(czxid), side.mask_zxid(mzxid),
            "time" if ctime > 0 else ctime, "time" if mtime > 0 else mtime,
            "v%d c%d a%d" % (version, cversion, aversion),
            side.mask_owner(owner), length, children, side.mask_zxid(pzxid))


def in_any_order(items):
    return sorted(items) if isinstance(items, list) else items


def read_data(r, side):
    return ("data", r.buf(), read_stat(r, side))


def read_names(r, _):
    return ("children", in_any_order(r.vector(r.text)))


def read_names_stat(r, side):
    return read_names(r, side) + (read_stat(r, side),)


def read_path(r, _):
    return ("path", r.text())


def read_path_stat(r, side):
    return ("path", r.text(), read_stat(r, side))


def read_acl(r, side):
    entries = r.vector(lambda: (r.i32(), r.text(), r.text()))
    return ("acl", entries, read_stat(r, side))


def read_nothing(_, __):
    return ()


def read_int(r, _):
    return ("int", r.i32())


def read_ids(r, _):
    return ("ids", in_any_order(r.vector(lambda: (r.text(), r.text()))))


RESULT = {  # in a multi's reply, by the type that it names
    1: read_path, 2: read_nothing, 5: read_stat, 13: read_nothing,
    15: read_path_stat, -1: read_int, 4: read_data, 8: read_names,
}


def read_multi(r, side, request):
    """Results of create2 lose their stat: see the table of differences (65)."""
    out = ["multi"]
    while True:
        kind, done, err = r.i32(), r.take(1), r.i32()
        if done != b"\0":
            return tuple(out + [(kind, done, err)])
        if kind not in RESULT:
            raise Short()
        result = RESULT[kind](r, side)
        made = len(out) - 1
        if kind in (1, 15) and request.op == "multi" and request.raw is None and \
                made < len(request.fields["ops"]) and \
                request.fields["ops"][made].op == "create2":
            kind, result = "create or create2", result[:2]
        out.append((kind, done, err, result))


REPLY = {
    "create": read_path, "delete": read_nothing, "exists": read_stat,
    "getData": read_data, "setData": read_stat, "getACL": read_acl,
    "setACL": read_stat, "getChildren": read_names, "sync": read_path,
    "getChildren2": read_names_stat, "multi": None, "multiRead": None, "create2": read_path_stat,
    "createContainer": read_path_stat, "createTTL": read_path_stat,
    "addWatch": read_int, "getEphemerals": read_names,
    "getAllChildrenNumber": read_int, "whoAmI": read_ids,
}


# Asked of a path that no node can have, ZooKeeper says NoNode or NoWatcher, and our
# broker BadArguments: see the table of differences (59).
NOT_THERE = (-8, -101, -121)
READS = ("getData", "exists", "getChildren", "getChildren2", "getACL", "checkWatches",
         "removeWatches", "getAllChildrenNumber", "sync", "getEphemerals")


def read_reply(request, payload, side):
    """(what, xid, zxid, err, request, fields..., what is left over)."""
    r = Reader(payload)
    xid, zxid, err = r.i32(), r.i64(), r.i32()
    said = "err %d" % err
    bad = request.raw is not None or request.fields.get("path") in BAD_PATHS
    if err in NOT_THERE and bad and request.op in READS:
        said = "no such path"
    if request.fields.get("closed") and err in (0, -102):
        return ("reply", xid, side.mask_zxid(zxid), "err 0 or -102", "exists")
    if err in (0, -121) and request.op in ("checkWatches", "removeWatches"):
        said = "err 0 or -121"
    out = ["reply", xid, side.mask_zxid(zxid), said,
           str(request.op)]
    if err == 0 and request.op in REPLY:
        try:
            if request.op in ("multi", "multiRead"):
                out.append(read_multi(r, side, request))
            else:
                out.append(REPLY[request.op](r, side))
        except (Short, struct.error):
            out.append("cut short")
    rest = r.rest()
    if rest and not (err and request.op == "multiRead"):  # the table's 66
        out.append(("left over", rest))
    return tuple(out)


def read_event(payload):
    """The zxid in its header is left out: rule 25."""
    r = Reader(payload)
    xid, _, err = r.i32(), r.i64(), r.i32()
    kind, state, path = r.i32(), r.i32(), r.text()
    out = ("event", xid, "err %d" % err, EVENTS.get(kind, kind), state, path)
    rest = r.rest()
    return out + (("left over", rest),) if rest else out


def read_connected(payload, side):
    """(what, fields...), session id and password for a resume."""
    r = Reader(payload)
    version, timeout, session, password = r.i32(), r.i32(), r.i64(), r.buf()
    kept = (session, password)
    if session:
        side.know(session)
    size = len(password) if isinstance(password, bytes) else password
    blank = isinstance(password, bytes) and not any(password)
    return (("connected", version, timeout, side.mask_owner(session), size,
             "zeros" if blank else "secret", r.rest()), kept)
