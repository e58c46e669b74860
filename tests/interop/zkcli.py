#!/usr/bin/python3
"""zkcli.py - ZooKeeper's own command line: one session of commands against a real
ZooKeeper and against our broker; what it prints must be the same but for times,
session ids and the epoch of zxids."""
import concurrent.futures
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers  # noqa: E402

ZKCLI = "/usr/share/zookeeper/bin/zkCli.sh"
LIMIT_S = 60

# Each part is one session, and one check.
SESSIONS = {
    "nodes": """
        create /c one
        get /c
        set /c two
        get -s /c
        set -s /c three
        set -v 1 /c stale
        create -s /c/s- x
        create -e /c/e x
        create -s -e /c/es- x
        create /c again
        create /no/parent x
        create /bad//path x
        ls -R /
        ls -s /c
        stat /c
        stat /c/e
        getAllChildrenNumber /c
        getEphemerals /c
        getEphemerals
        delete /c
        delete -v 9 /c/s-0000000000
        delete /c/s-0000000000
        sync /c
        deleteall /c
        ls /
        get /c
        config
        whoami
        version
        nonsense
        """,
    "containers and TTLs": """
        create -c /cont
        create /cont/x x
        stat /cont
        create -t 100000 /ttl x
        stat /ttl
        create -s -t 100000 /ttl- x
        ls /
        deleteall /cont
        """,
    "watches": """
        create /w one
        get -w /w
        set /w two
        stat -w /w
        delete /w
        create /w three
        addWatch -m PERSISTENT_RECURSIVE /w
        create /w/a x
        set /w/a y
        create /w/a/b x
        delete /w/a/b
        removewatches /w
        set /w/a z
        ls -w /w
        create /w/b x
        deleteall /w
        """,
    "ACLs": """
        create /acl x world:anyone:cdrwa
        getAcl /acl
        setAcl /acl auth::cdrwa
        addauth digest u:p
        whoami
        setAcl -s /acl auth::cdrwa
        getAcl -s /acl
        get /acl
        setAcl /acl world:anyone:r
        set /acl y
        setAcl /acl world:anyone:cdrwa
        create /ip x ip:127.0.0.1:cdrwa
        getAcl /ip
        create /none x digest:nobody:cdrwa
        deleteall /acl
        """,
    "quotas": """
        create /q x
        setquota -n 2 /q
        listquota /q
        create /q/a xxxxxxxxxx
        listquota /q
        create /q/b x
        create /q/c x
        listquota /q
        setquota -b 5 /q
        listquota /q
        setquota -n 5 /q/a
        get /zookeeper/quota/q/zookeeper_limits
        delquota -n /q
        delquota /q
        listquota /q
        ls -R /zookeeper
        """,
}
# One command a process, its exit code.
SINGLES = [("create", "/one", "x"), ("get", "/one"), ("get", "/nix"),
           ("delete", "/one"), ("ls", "/")]


def masked(line):
    line = re.sub(r"^([cm]time) = .*", r"\1 = (time)", line)
    line = re.sub(r"^(..?Zxid|pZxid|cZxid) = 0x([0-9a-f]+)",
                  lambda m: "%s = %d" % (m.group(1), int(m.group(2), 16) & 0xFFFFFFFF), line)
    line = re.sub(r"^(ephemeralOwner = 0x)(?!0$|ff|8000)[0-9a-f]+", r"\1(session)", line)
    # The order of a list is not promised.
    line = re.sub(r"^\[(.*)\]$",
                  lambda m: "[%s]" % ", ".join(sorted(m.group(1).split(", "))), line)
    return re.sub(r"127\.0\.0\.1:\d+", "SERVER", line)


def run(port, argv, text=""):
    done = subprocess.run([ZKCLI, "-server", "127.0.0.1:%d" % port] + list(argv),
                          input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=LIMIT_S)
    out = [masked(line) for line in done.stdout.splitlines() if line.strip()]
    # Events are printed by another thread: their order against answers is chance.
    events = [line for line in out if line.startswith("WatchedEvent") and
              "type:None" not in line]
    answers = [line for line in out if not line.startswith(("WatchedEvent", "WATCHER"))]
    errors = [masked(line) for line in done.stderr.splitlines()
              if line.strip() and not line.startswith(("SLF4J", "\tat "))]
    return {"exit code": [done.returncode], "answers": answers,
            "errors": errors, "events": events}


def differ(name, real, ours):
    """Say where they do."""
    bad = False
    for part in real:
        for at in range(max(len(real[part]), len(ours[part]))):
            pair = [said[part][at] if at < len(said[part]) else "nothing"
                    for said in (real, ours)]
            if pair[0] != pair[1]:
                print("FAIL  %s: %s, line %d:\n        ZooKeeper: %s\n        broker:    %s" % (
                    name, part, at + 1, pair[0], pair[1]))
                bad = True
                break
    if not bad:
        print("ok    %s: %d lines" % (name, sum(len(part) for part in real.values())))
    sys.stdout.flush()
    return bad


def main():
    if not servers.have_zookeeper() or not os.path.exists(ZKCLI):
        servers.skip("zkCli.sh: not installed (apt-get install zookeeper)")
    bad, pool = 0, concurrent.futures.ThreadPoolExecutor(2)

    def both(*what):
        return [one.result() for one in [pool.submit(run, p, *what) for p in ports]]

    only = sys.argv[1:]
    with servers.ZooKeeper() as real, servers.Broker() as ours:
        ports = (real.port, ours.port)
        sessions = [(n, t) for n, t in SESSIONS.items() if not only or n in only]
        singles = SINGLES if not only else []
        for name, text in sessions:
            text = "".join(line.strip() + "\n" for line in text.strip().splitlines()) + "quit\n"
            bad += differ(name, *both((), text))
        for argv in singles:
            bad += differ(" ".join(argv), *both(argv))
    count = len(sessions) + len(singles)
    print("%d%%: Checks: %d, Failures: %d, Errors: 0" % (
        100 * (count - bad) // count, count, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
