#!/usr/bin/python3
"""transcript.py - the same random requests to a real ZooKeeper 3.8 and to our
broker, every reply compared byte by byte.

    tests/interop/transcript.py                     the seeds of CI
    tests/interop/transcript.py --seed 7 --verbose  one, each step shown
    tests/interop/transcript.py --seeds 100:400     by hand
    tests/interop/transcript.py --self              ZooKeeper against ZooKeeper
    tests/interop/transcript.py --differences       the table, for the README

A step goes to one session; before the next, every session has answered a ping that
was sent after the step's last reply, so that all its events are there. Within a
step requests are pipelined.
"""
import argparse
import os
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from jute import Reader, Short, buf, flag, frame, i32, i64  # noqa: E402
import servers  # noqa: E402
from transcript_random import OPEN, SESSIONS, Random  # noqa: E402
from transcript_wire import (CONTAINER_OWNER, TTL_OWNER, Request,  # noqa: E402
                             read_connected, read_event, read_reply)

CI_SEEDS = range(1, 21)
CI_REQUESTS = 300
PATIENCE_S = 10.0
# Our broker removes empty containers every minute, which uses up zxids.
FRESH_S = 30.0

# rule, what differs, why, what this script does about it
DIFFERENCES = [
    ("2", "text goes in and out byte for byte; 4-byte characters are in no path",
     "ZooKeeper writes them back as two 3-byte ones", "sync, which gives its path "
     "back, is not sent them"),
    ("11", "a session's password is 16 random bytes",
     "ZooKeeper's is computed from the session id, so anyone can", "masked"),
    ("12", "a reconnect with a wrong password leaves the session's link alone",
     "ZooKeeper cuts the rightful owner before it checks the password",
     "a wrong password is tried only while the session has no link"),
    ("25", "a watch event's header carries the zxid of its change",
     "as ZooKeeper 3.9 does; 3.8 sends -1", "that field is left out"),
    ("35", "two kinds of watch on one path are both kept",
     "as ZooKeeper 3.9 does; in 3.8 the later replaces the earlier",
     "a session watches a path in one way only"),
    ("18", "a `check` outside a multi, and opcode 0, are unknown opcodes",
     "as in ZooKeeper 3.9; 3.8 never answers a check that holds", "not sent"),
    ("59", "a question about a path that no node can have is answered -8",
     "ZooKeeper says -101 or -121, or takes a watch that can never fire",
     "taken as equal; addWatch and setWatches get sound paths only"),
    ("65", "a create2 in a multi is answered with path and stat, type 15",
     "ZooKeeper answers it as a create: type 1, no stat",
     "the stat is not compared"),
    ("102", "a write pipelined after a setACL is checked against the new ACL",
     "ZooKeeper 3.8 may use the old one", "a setACL ends its step"),
    ("102", "a createTTL with other flags is refused",
     "it kills ZooKeeper 3.8, and again when it reads its log", "not sent"),
    ("99", "a multi with a TTL flag in a plain create is refused before it is begun",
     "ZooKeeper 3.8 refuses it when it gets there, and may check the next request "
     "against what the multi would have made", "not sent"),
    ("102", "a quota node whose text is no quota is read as an empty one",
     "the next write below it ends ZooKeeper 3.8", "not sent"),
    ("102", "opcodes -10 and 102 (SASL) are answered -6",
     "ZooKeeper takes -10 from a client as a new session",
     "not sent"),
    ("36", "events that catch up after setWatches are kept from those who may not read, "
     "as all others are", "ZooKeeper tells them",
     "setWatches is not sent for nodes with an ACL of their own"),
    ("37", "a null list in setWatches is an empty one", "ZooKeeper says -5; no client "
     "sends it", "not sent"),
    ("40", "watches are checked and removed by their kind, and only the session's own",
     "as in ZooKeeper 3.9; in 3.8 data and children also mean the persistent ones, and "
     "anybody's watch on the path will do", "persistent ones are only asked for as "
     "`any`, 0 and -121 are taken as equal; what is removed is seen by the events"),
    ("66", "a multiRead that cannot be decoded has no body in its reply",
     "ZooKeeper sends an empty list of results after the error", "not compared"),
    ("76", "exists needs READ", "as ZooKeeper 3.8.4 and 3.9.2; 3.8.0 lets it through",
     "exists of a node with an ACL of its own leaves no watch, and may be refused"),
    ("97", "a digest without bytes (null) is an empty one", "ZooKeeper closes the link",
     "not sent"),
    ("52", "a write that cannot be decoded uses up no zxid",
     "only what can be decoded is logged", "zxids are counted without them"),
    ("", "a ping is answered on receipt, even before earlier requests",
     "so that a slow disk is never taken for a dead server",
     "pings of a step are compared on their own"),
]


class Link:
    """One connection: frames out, frames in."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got, self.ended = b"", False

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # what it had to say is still to be read

    def frame(self):
        """The next frame; None at the end."""
        while len(self.got) < 4 or len(self.got) < 4 + int.from_bytes(self.got[:4], "big"):
            try:
                part = self.socket.recv(262144)
            except ConnectionError:
                part = b""
            if not part:
                self.ended = True
                return None
            self.got += part
        size = 4 + int.from_bytes(self.got[:4], "big")
        out, self.got = self.got[4:size], self.got[size:]
        return out

    def close(self):
        self.socket.close()


class Side:
    """One server, as the transcript sees it."""

    def __init__(self, server):
        self.server, self.base = server, None
        self.links = [None] * (SESSIONS + 1)  # the last is the script's own
        self.kept = [(0, bytes(16))] * (SESSIONS + 1)
        self.known, self.xid = {}, 0
        self.born = {}  # every session of this seed: its password
        self.newest_zxid, self.wasted = 0, []  # as on the wire
        self.fresh = None  # a link whose answer has no reply header

    # ---- masks ----

    def zxid(self, offset):
        zxid = self.base + offset
        for wasted in self.wasted:
            zxid += wasted <= zxid
        return zxid

    def mask_zxid(self, zxid):
        """Its offset from the start, not counting those wasted on nonsense."""
        if zxid <= 0 or self.base is None:
            return "zxid %d" % zxid if zxid <= 0 else "zxid"
        if zxid < self.base:
            return "older"
        return zxid - self.base - sum(wasted <= zxid for wasted in self.wasted)

    def count(self, payload):
        """See what a reply's header says of the zxid: a write that could not be
        decoded may or may not have used one up."""
        zxid, err = int.from_bytes(payload[4:12], "big", signed=True), payload[12:16]
        if zxid == self.newest_zxid + 1 and err == i32(-5):
            self.wasted.append(zxid)
        self.newest_zxid = max(self.newest_zxid, zxid)

    def know(self, session):
        self.known.setdefault(session, "session %d" % len(self.known))

    def mask_owner(self, owner):
        if owner == 0 or owner == CONTAINER_OWNER or (owner >> 56) & 0xFF == TTL_OWNER:
            return owner
        return self.known.get(owner, "nobody's session")

    # ---- steps: each returns what every session heard ----

    def run(self, step):
        kind, session, argument = step
        heard = {n: [] for n in range(SESSIONS + 1)}
        getattr(self, "do_" + kind)(session, argument, heard)
        for n in range(SESSIONS + 1):
            self.settle(n, heard[n])
        return heard

    def do_batch(self, session, requests, heard):
        link, expected, out = self.links[session], [], b""
        pings = 0
        for request in requests:
            self.xid += 1
            out += frame(request.encode(self.xid, self))
            if request.op == "ping":
                pings += 1
            else:
                expected.append(request)
        link.send(out)
        while expected or pings:
            payload = self.next(link, heard[session])
            if payload is None:
                return
            if payload[:4] == i32(-2):
                pings -= 1
                heard[session].append(("pong", payload[12:]))
            elif expected:
                heard[session].append(read_reply(expected.pop(0), payload, self))
            else:
                heard[session].append(("a reply too many", payload))

    def next(self, link, heard):
        """The next frame that is no event; None at the end."""
        while True:
            try:
                payload = link.frame()
            except socket.timeout:
                heard.append("no answer for %d s" % PATIENCE_S)
                link.ended = True
                return None
            if payload is None:
                return None
            if payload[:4] != i32(-1):
                if self.base is not None and link is not self.fresh:
                    self.count(payload)
                return payload
            heard.append(read_event(payload))

    def do_raw(self, session, data, heard):
        self.links[session].send(data)
        self.next(self.links[session], heard[session])

    def do_drop(self, session, _, heard):
        link = self.links[session]
        try:
            link.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        while self.next(link, heard[session]) is not None:
            pass

    def do_connect(self, session, how, heard):
        ident, password = self.kept[session] if how.get("resume") else (0, bytes(16))
        if how.get("wrong"):
            password = b"\x5a" * 16
        seen = self.zxid(1 << 30) if how.get("ahead") else 0
        hello = (i32(0) + i64(seen) + i32(how["ask"]) + i64(ident) + buf(password) +
                 (b"" if how.get("short") else flag(False)))
        if "cut" in how:
            hello = hello[:how["cut"]]
        old, link = self.links[session], Link(self.server.port)
        link.send(frame(hello))
        self.fresh = link
        payload = self.next(link, heard[session])
        self.fresh = None
        if payload is None:
            heard[session].append("refused")
            link.close()
            return
        said, kept = read_connected(payload, self)
        heard[session].append(said)
        if old:
            self.forget(old, resumed=how.get("resume"), heard=heard[session])
        self.links[session] = link
        if kept[0]:
            self.kept[session] = kept
            self.born[kept[0]] = kept[1]

    def forget(self, old, resumed, heard):
        """The link that a session had before: the server ends it if the session
        moved; else we do, and its session stays as it is, without a link."""
        if not resumed:
            try:
                old.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        while True:
            try:
                if old.frame() is None:
                    break
            except socket.timeout:
                heard.append("the old link lives on")
                break
        old.close()

    def settle(self, n, heard):
        """All that this session is to hear of the step."""
        link = self.links[n]
        if not link:
            return
        if not link.ended:
            link.send(frame(i32(-2) + i32(11)))
            payload = self.next(link, heard)
            while payload is not None and payload[:4] != i32(-2):
                heard.append(("a reply too many", payload))
                payload = self.next(link, heard)
        if link.ended:
            heard.append("end of the link")
            link.close()
            self.links[n] = None

    # ---- one seed ----

    def begin(self, root):
        self.base = None
        self.known, self.xid, self.born = {}, 0, {}
        self.newest_zxid, self.wasted = 0, []
        self.kept = [(0, bytes(16))] * (SESSIONS + 1)
        self.run(("connect", SESSIONS, {"ask": 40000}))
        self.base = self.newest_zxid = self.newest()
        made = Request("create", path=root, data=b"", acl=OPEN, flags=0)
        return self.run(("batch", SESSIONS, [made]))

    def newest(self):
        link = self.links[SESSIONS]
        link.send(frame(Request("sync", path="/").encode(1, self)))
        r = Reader(self.next(link, []))
        r.i32()
        return r.i64()

    def finish(self):
        """Every session is ended, so that none expires in the midst of the next
        seed. One that was closed before says so and is left."""
        for link in self.links:
            if link:
                link.close()
        self.links = [None] * (SESSIONS + 1)
        for session, password in self.born.items():
            link = Link(self.server.port)
            link.send(frame(i32(0) + i64(0) + i32(40000) + i64(session) + buf(password)))
            self.base = None
            if read_connected(self.next(link, []), self)[1][0]:
                link.send(frame(Request("closeSession").encode(1, self)))
            while self.next(link, []) is not None:
                pass
            link.close()


# ---- comparing ---------------------------------------------------------------------

def comparable(step, heard):
    """Without what may differ in order: a session's end deletes its ephemerals in
    any order (rule 47), and pings overtake."""
    if step[0] != "batch":
        return heard
    out = [one for one in heard if one[0] != "pong"]
    if any(request.op == "closeSession" for request in step[2]):
        out.sort(key=repr)
    return out + [one for one in heard if one[0] == "pong"]


def shown(one):
    if not isinstance(one, tuple):
        return str(one)
    return " ".join(repr(part) if isinstance(part, (bytes, tuple, list)) else str(part)
                    for part in one)


def show_step(number, step):
    kind, session, argument = step
    print("  step %d: session %d: %s" % (number, session, kind))
    if kind == "batch":
        for request in argument:
            print("      > %s" % request)
            for one in request.fields.get("ops", []):
                print("          %s" % one)
    elif argument is not None:
        print("      > %r" % (argument,))


def show_difference(sides, session, ours):
    """The first place where the two lists part, and what each side says there."""
    first, second = ours
    at = 0
    while at < len(first) and at < len(second) and first[at] == second[at]:
        at += 1
    print("    session %d heard the same %d, then:" % (session, at))
    for side, heard in zip(sides, ours):
        for one in heard[at:at + 4] or ["nothing more"]:
            print("      %-10s %s" % (side.server.name, shown(one)))


class Run:
    """One seed against both sides."""

    def __init__(self, sides, seed, options):
        self.sides, self.seed, self.options = sides, seed, options
        self.random = Random(seed, options.without)
        self.sent = 0

    def learn(self, step, heard):
        kind, session, argument = step
        link = self.sides[0].links
        if kind == "batch":
            replies = [one for one in heard[session] if one[0] == "reply"]
            wanted = [r for r in argument if r.op != "ping"]
            for request, reply in zip(wanted, replies):
                self.random.saw_reply(request, reply)
            self.sent += len(argument)
        elif kind == "connect":
            self.sent += 1
            self.random.unlinked(session)
        for n in range(SESSIONS):
            if not link[n] and self.random.linked[n]:
                self.random.unlinked(n)
            self.random.linked[n] = link[n] is not None
            self.random.born[n] = self.sides[0].kept[n][0] != 0

    def once(self, number, step):
        heard = [side.run(step) for side in self.sides]
        if self.options.verbose:
            show_step(number, step)
            for n, said in heard[0].items():
                for one in said:
                    print("      %d < %s" % (n, shown(one)))
        for n in heard[0]:
            both = [comparable(step, side[n]) for side in heard]
            if both[0] != both[1]:
                print("seed %d differs" % self.seed)
                show_step(number, step)
                show_difference(self.sides, n, both)
                print("    replay: tests/interop/transcript.py --seed %d --requests %d%s" % (
                    self.seed, self.options.requests,
                    " --without " + ",".join(self.options.without)
                    if self.options.without else ""))
                return False
        self.learn(step, heard[0])
        return True

    def all(self):
        first = [side.begin(self.random.root) for side in self.sides]
        same = first[0] == first[1]
        if not same:
            print("seed %d: the first create differs: %r" % (self.seed, first))
        number = 0
        while same and self.sent < self.options.requests:
            number += 1
            same = self.once(number, self.random.step())
        for side in self.sides:
            side.finish()
        return same


# ---- the command line ----------------------------------------------------------------

def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--seed", type=int, help="this one only")
    p.add_argument("--seeds", help="FROM:TO")
    p.add_argument("--requests", type=int, default=CI_REQUESTS, help="per seed")
    p.add_argument("--without", default="", help="leave out: acl, auth, ttl, "
                   "container, quota, multiRead, removeWatches, getEphemerals, "
                   "getAllChildrenNumber, whoAmI; comma between")
    p.add_argument("--broker", help="its path; else build/muster-broker")
    p.add_argument("--self", action="store_true", dest="twice",
                   help="two ZooKeepers: proves this script")
    p.add_argument("--verbose", action="store_true", help="show every step")
    p.add_argument("--differences", action="store_true",
                   help="print the table of known differences and end")
    o = p.parse_args()
    o.without = [w for w in o.without.split(",") if w]
    if o.seed is not None:
        o.range = [o.seed]
    elif o.seeds:
        start, end = o.seeds.split(":")
        o.range = range(int(start), int(end))
    else:
        o.range = CI_SEEDS
    return o


def print_differences():
    print("| rule | Muster | ZooKeeper 3.8 |\n|---|---|---|")
    for rule, what, why, _ in DIFFERENCES:
        print("| %s | %s | %s |" % (rule, what, why))


def second(options):
    if options.twice:
        return servers.ZooKeeper("ZooKeeper2")
    return servers.Broker(options.broker, extra=servers.SUPER_CONF)


def some(options, seeds):
    """Take seeds off the list until the servers are FRESH_S old: those that differ."""
    failed, limit = [], time.monotonic() + FRESH_S
    with servers.ZooKeeper() as real, second(options) as ours:
        while seeds and time.monotonic() < limit:
            seed = seeds.pop(0)
            try:
                if not Run([Side(real), Side(ours)], seed, options).all():
                    failed.append(seed)
            except (Short, OSError) as error:
                print("seed %d: %s: %r" % (seed, type(error).__name__, error))
                failed.append(seed)
            for server in (real, ours):
                server.alive()
    return failed


def main():
    options = parse()
    if options.differences:
        print_differences()
        return 0
    if not servers.have_zookeeper():
        servers.skip("side by side with ZooKeeper: no ZooKeeper or no java (apt-get install "
                     "zookeeper default-jre-headless)")
    failed, started = [], time.monotonic()
    seeds = list(options.range)
    while seeds:
        failed += some(options, seeds)
    count = len(options.range)
    print("%d seeds of %d requests in %.1f s; left out: %s; differ: %s" % (
        count, options.requests, time.monotonic() - started,
        ", ".join(options.without) or "nothing",
        ", ".join(map(str, failed)) or "none"))
    print("%d%%: Checks: %d, Failures: %d, Errors: 0" % (
        100 * (count - len(failed)) // max(count, 1), count, len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
