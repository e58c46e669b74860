"""transcript_random.py - the random steps of one transcript.

A step is made from the seed and from what the first server answered so far (which
nodes there are), never from a clock. What a step does not do, and why, stands
in transcript.py's table of differences.
"""
import random

from transcript_wire import BAD_PATHS, Request

HASH_U = "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="  # u:p
HASH_V = "v:o1d9Os7xP2iDKxL9wYkwmhGMi1Q="  # of no password used here
OPEN = [(31, "world", "anyone")]
ACLS = [
    [(1, "world", "anyone")], [(30, "world", "anyone")],
    [(31, "digest", HASH_U)], [(31, "auth", "")],
    [(31, "digest", HASH_U), (1, "world", "anyone")],
    [(31, "digest", HASH_V), (3, "digest", HASH_U), (16, "world", "anyone")],
    [(31, "ip", "127.0.0.1")], [(31, "ip", "127.0.0.0/8")],
    [(31, "ip", "10.0.0.0/8"), (1, "world", "anyone")],
    [(7, "world", "anyone"), (7, "world", "anyone")],
]
BAD_ACLS = [
    [], None, [(31, "world", "nobody")], [(31, "ip", "999.1.1.1")],
    [(31, "ip", "127.0.0.1/33")], [(31, "digest", "nocolon")],
    [(31, "digest", "a:b:c")], [(31, "sasl", "x")], [(31, "none", "x")],
    [(31, "", "")], [(31, "digest", "")], [(31, "world", "")],
]
SYSTEM = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"]
AUTHS = [("digest", b"u:p")] * 4 + [
    ("digest", b"v:q"), ("digest", b"nocolon"), ("digest", b""),
    ("ip", b"127.0.0.1"), ("world", b"anyone"),
    ("none", b"x"), ("auth", b""), ("digest", b"super:secret"),
    ("digest", b"super:wrong"), ("", b"x"),
]
QUOTAS = [b"count=1,bytes=-1", b"count=-1,bytes=10", b"count=3,bytes=100",
          b"count=2,bytes=5;byteHardLimit=9;countHardLimit=4"]
SESSIONS = 4
PLAIN, PERSISTENT, RECURSIVE = "plain", 0, 1
# Of a session's own making, so that one does not end another's watches.
KINDS = [PLAIN] * 3 + [PERSISTENT, RECURSIVE]


class Random:
    def __init__(self, seed, without):
        self.rng = random.Random(seed)
        self.root = "/t%d" % seed
        self.without = without
        self.known = [self.root]  # nodes that were created
        self.last = 0             # offset of the newest zxid seen
        self.linked = [False] * SESSIONS
        self.born = [False] * SESSIONS
        self.closed = set()       # paths that were given an ACL of their own
        self.kind = {}            # (session, path) -> how it is watched
        self.table = [row for row in TABLE if row[2] not in without]

    # ---- what requests are about ----

    def pick(self, items):
        return self.rng.choice(items)

    def chance(self, share):
        return self.rng.random() < share

    def name(self):
        return self.pick(["a", "b", "c", "ab", "\u00e4", "x0000000000"])

    def sound_path(self):
        path = self.path()
        return self.root if path in BAD_PATHS else path

    def path(self):
        dice = self.rng.random()
        if dice < 0.02:
            return self.pick(BAD_PATHS)
        if dice < 0.05:
            return self.pick(SYSTEM)
        if dice < 0.65:
            return self.pick(self.known[-12:] + [self.root])
        return self.pick(self.known[-12:] + [self.root]) + "/" + self.name()

    def new_path(self):
        if self.chance(0.03):
            return self.pick(BAD_PATHS)
        parent = self.pick(self.known[-12:] + [self.root])
        if parent.count("/") > 4:
            parent = self.root
        return parent + "/" + self.name()

    def data(self):
        dice = self.rng.random()
        if dice < 0.1:
            return None
        if dice < 0.2:
            return b""
        size = 2000 if dice > 0.98 else self.rng.randrange(1, 20)
        return bytes(self.rng.randrange(256) for _ in range(size))

    def acl(self, path):
        if "acl" in self.without or self.chance(0.85):
            return OPEN
        self.closed.add(path)
        return self.pick(BAD_ACLS if self.chance(0.3) else ACLS)

    def version(self):
        return self.pick([-1, -1, -1, 0, 0, 1, 2, 5, -2, 2147483647])

    def watch(self, path, session):
        """May this session leave a plain watch here? See difference 35."""
        if session is None or not self.chance(0.4):
            return False
        return self.watched_as(path, session) == PLAIN

    def watched_as(self, path, session):
        key = (session, path)
        if key not in self.kind:
            self.kind[key] = self.pick(KINDS)
        return self.kind[key]

    # ---- requests ----

    def create(self, session, op="create"):
        # 4 and up are containers, TTLs and nonsense: refused, or made by both.
        flags = self.pick([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 5, 6, 7, -1])
        if flags in (5, 6) and (session is None or "ttl" in self.without):
            flags = 0
        return self.made(op, flags)

    def made(self, op, flags):
        path = self.new_path()
        if flags in (2, 3, 6) and path[0] == "/" and self.chance(0.2):
            path = path[:path.rindex("/") + 1]
        return Request(op, path=path, data=self.data(), acl=self.acl(path), flags=flags)

    def create2(self, session):
        return self.create(session, "create2")

    def container(self, session):
        return self.made("createContainer", 4)

    def ttl(self, session):
        made = self.made("createTTL", self.pick([5, 5, 6]))
        made.fields["ttl"] = self.pick([3600000, (1 << 40) - 1, 1 << 40, 0, -5])
        return made

    def delete(self, session):
        return Request("delete", path=self.path(), version=self.version())

    def set_data(self, session):
        return Request("setData", path=self.path(), data=self.data(),
                       version=self.version())

    def read(self, op):
        def one(session):
            path = self.path()
            if session is None and path in BAD_PATHS:
                path = self.root
            if op == "exists" and self.is_closed(path):
                return Request(op, path=path, watch=False, closed=True)
            return Request(op, path=path, watch=self.watch(path, session))
        return one

    def is_closed(self, path):
        """May the node have an ACL that keeps somebody out? Difference 76."""
        return any(path.startswith(one) for one in self.closed)

    def get_acl(self, session):
        return Request("getACL", path=self.path())

    def set_acl(self, session):
        path = self.path()
        if path in SYSTEM:  # it would outlast this seed
            path = self.root
        return Request("setACL", path=path, acl=self.acl(path), version=self.version())

    def sync(self, session):
        return Request("sync", path=self.sound_path())

    def ping(self, session):
        return Request("ping")

    def check(self, session):
        return Request("check", path=self.path(), version=self.version())

    def multi(self, session):
        makers = [self.create, self.create, self.create2, self.delete,
                  self.set_data, self.check]
        makers += [] if "container" in self.without else [self.container]
        makers += [] if "ttl" in self.without else [self.ttl]
        if self.chance(0.06):
            makers = [self.create, self.read("getData"), self.get_acl]
        return Request("multi", ops=[self.pick(makers)(None)
                                     for _ in range(self.rng.randrange(5))])

    def multi_read(self, session):
        makers = [self.read("getData"), self.read("getChildren")]
        if self.chance(0.1):
            makers += [self.set_data]
        return Request("multiRead", ops=[self.pick(makers)(None)
                                         for _ in range(self.rng.randrange(5))])

    def add_watch(self, session):
        path = self.sound_path()
        kind = self.watched_as(path, session)
        if kind == PLAIN:
            kind = self.pick([2, -1])
        return Request("addWatch", path=path, kind=kind)

    def watches(self, op):
        def one(session):
            path = self.sound_path()
            kinds = [3, 3, 0, 9] + [1, 1, 2, 2] * (self.watched_as(path, session) == PLAIN)
            return Request(op, path=path, kind=self.pick(kinds))
        return one

    def set_watches(self, session):
        op = self.pick(["setWatches", "setWatches2"])
        lists = [[] for _ in range(5 if op == "setWatches2" else 3)]
        for _ in range(self.rng.randrange(6)):
            path = self.sound_path()
            if self.is_closed(path):
                continue
            kind = self.watched_as(path, session)
            if kind == PLAIN:
                self.pick(lists[:3]).append(path)
            elif len(lists) == 5:
                lists[3 + kind].append(path)
        return Request(op, since=self.last - self.rng.randrange(12), paths=lists)

    def ephemerals(self, session):
        return Request("getEphemerals", path=self.pick([self.path(), self.root, "/", ""]))

    def all_children(self, session):
        return Request("getAllChildrenNumber", path=self.path())

    def who(self, session):
        return Request("whoAmI")

    def quota(self, session):
        below = "/zookeeper/quota" + self.pick(self.known[-12:] + [self.root])
        leaf = below + self.pick(["", "", "/zookeeper_limits", "/zookeeper_stats"])
        if self.chance(0.25):
            return Request("getData", path=leaf, watch=False)
        if self.chance(0.15):
            return Request("delete", path=leaf, version=-1)
        if self.chance(0.2):
            return Request("setData", path=leaf, data=self.pick(QUOTAS), version=-1)
        limits = Request("create", path=below + "/zookeeper_limits",
                         data=self.pick(QUOTAS), acl=OPEN, flags=0)
        stats = Request("create", path=below + "/zookeeper_stats",
                        data=b"count=0,bytes=0", acl=OPEN, flags=0)
        ancestors, at = [], "/zookeeper/quota"
        for part in below[len("/zookeeper/quota/"):].split("/"):
            at += "/" + part
            ancestors.append(Request("create", path=at, data=b"", acl=OPEN, flags=0))
        return ancestors + [limits, stats]

    # ---- broken on purpose ----

    def spoil(self, request):
        """Cut a body, lengthen it, or put nonsense in its place."""
        if request.op in ("ping", "auth", "closeSession", "whoAmI", "deleteContainer"):
            return request
        dice = self.rng.random()
        if dice < 0.5:
            request.cut = self.rng.randrange(40)
        elif dice < 0.7:
            request.more = bytes(self.rng.randrange(256) for _ in range(5))
        elif request.op != "createTTL":
            size = self.rng.randrange(24)
            request.raw = bytes(self.pick([0, 0, 0, 1, 255, 128, 47, 97])
                                for _ in range(size))
            request.raw = self.harmless(request)
        return request

    def harmless(self, request):
        """Nonsense must not leave watches that nobody planned (35), nor be a
        record that decodes by chance where it matters."""
        if request.op in ("check", "addWatch", "setWatches", "setWatches2", "exists",
                          "getData", "getChildren", "getChildren2"):
            return request.raw[:3]
        return request.raw

    # ---- steps ----

    def batch(self, session):
        """Requests sent in one go."""
        out = []
        for _ in range(self.rng.randrange(1, 9)):
            made = self.rng.choices([row[1] for row in self.table],
                                    [row[0] for row in self.table])[0](self, session)
            for one in made if isinstance(made, list) else [made]:
                if self.chance(0.03):
                    one = self.spoil(one)
                out.append(one)
            if self.ends_step(out[-1]):
                break
        return out

    @staticmethod
    def ends_step(one):
        """What ZooKeeper 3.8 may let the next request see wrongly: rule 102."""
        return one.op == "setACL" or one.op == "multi" and one.raw is not None

    def step(self):
        """(kind, session, argument)."""
        session = self.rng.randrange(SESSIONS)
        dice = self.rng.random()
        if not self.linked[session]:
            return self.connect(session, dice)
        if dice < 0.02:
            return ("batch", session, [Request("closeSession")])
        if dice < 0.04:
            return ("drop", session, None)
        if dice < 0.05:
            return ("raw", session, self.pick([
                b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\4abcd",
                b"\0\x10\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\7abcdefg"]))
        if dice < 0.06:
            unknown = self.pick([10, 23, 24, 99, 108, 200, -2, -100, 2147483647])
            return ("batch", session, [Request(unknown)])
        if dice < 0.07 and "auth" not in self.without:
            scheme, cred = self.pick(AUTHS)
            return ("batch", session, [Request("auth", scheme=scheme, cred=cred)])
        if dice < 0.09:
            return self.connect(session, self.rng.random())
        return ("batch", session, self.batch(session))

    def connect(self, session, dice):
        how = {"ask": self.pick([30000, 20000, 1000, 100000, 0, -1]),
               "short": self.chance(0.2), "resume": self.born[session] and dice < 0.7}
        # A short timeout would end while the other server is asked.
        if how["ask"] < 20000:
            how["ask"] = how["ask"] if self.chance(0.2) else 30000
        if how["resume"] and not self.linked[session] and self.chance(0.1):
            how["wrong"] = True
        if self.chance(0.05):
            how["ahead"] = True
        if self.chance(0.03):
            how["cut"] = self.rng.randrange(1, 36)
        return ("connect", session, how)

    # ---- what the first server said ----

    def saw_reply(self, request, reply):
        if isinstance(reply[2], int):
            self.last = max(self.last, reply[2])
        for part in reply[5:]:
            self.saw_paths(part)

    def saw_paths(self, part):
        if not isinstance(part, tuple):
            return
        if len(part) >= 2 and part[0] == "path" and isinstance(part[1], str):
            path = part[1]
            if path.startswith(self.root + "/") and path not in self.known:
                self.known.append(path)
            return
        for inner in part:
            self.saw_paths(inner)

    def unlinked(self, session):
        self.linked[session] = False
        for key in [k for k in self.kind if k[0] == session]:
            del self.kind[key]


# weight, maker, what it needs
TABLE = [
    (14, Random.create, ""), (8, Random.create2, ""),
    (9, Random.delete, ""), (10, Random.set_data, ""),
    (8, lambda s, n: s.read("getData")(n), ""),
    (8, lambda s, n: s.read("exists")(n), ""),
    (6, lambda s, n: s.read("getChildren")(n), ""),
    (6, lambda s, n: s.read("getChildren2")(n), ""),
    (9, Random.multi, ""), (2, Random.sync, ""), (2, Random.ping, ""), (4, Random.add_watch, ""),
    (3, Random.set_watches, ""),
    (3, lambda s, n: s.watches("checkWatches")(n), "removeWatches"),
    (3, lambda s, n: s.watches("removeWatches")(n), "removeWatches"),
    (3, Random.get_acl, "acl"), (3, Random.set_acl, "acl"),
    (2, Random.multi_read, "multiRead"), (3, Random.container, "container"),
    (2, Random.ttl, "ttl"), (2, Random.ephemerals, "getEphemerals"),
    (2, Random.all_children, "getAllChildrenNumber"),
    (1, Random.who, "whoAmI"), (3, Random.quota, "quota"),
]
