#!/usr/bin/python3
"""node.py [broker|zookeeper]... - node_suite.js against our broker and, where it is
installed, a real ZooKeeper: what the suite asks for is what ZooKeeper does.

node-zookeeper-client is looked for where NODE_PATH says and in the build's own
interop-node, where packaging/deps.sh puts it."""
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers  # noqa: E402

LIMIT_S = 130
MODULE = "node-zookeeper-client"
SUITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_suite.js")


def run(node, environment, server):
    """The suite; how many checks it made, and how many of them failed."""
    suite = subprocess.Popen([node, SUITE, str(server.port)], env=environment, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    limit = threading.Timer(LIMIT_S, suite.kill)
    limit.start()
    counts = (1, 1)  # unless it comes to its end
    for line in suite.stdout:
        if line == "restart the server\n":
            server.kill(signal.SIGKILL)
            server.start()
            suite.stdin.write("it is up\n")
            suite.stdin.flush()
            continue
        said = re.search(r"Checks: (\d+), Failures: (\d+)", line)
        if said:
            counts = (int(said.group(1)), int(said.group(2)))
        print(line, end="", flush=True)
    limit.cancel()
    checks, bad = counts
    if suite.wait() and not bad:
        bad = 1
    return checks, bad


def main():
    environment = dict(os.environ)
    own = servers.built(os.path.join("interop-node", "node_modules"))
    environment["NODE_PATH"] = ":".join(
        p for p in (os.environ.get("NODE_PATH"), own) if p)
    node = shutil.which("node")
    if not node or subprocess.run([node, "-e", "require('%s')" % MODULE], env=environment,
                                  stderr=subprocess.DEVNULL).returncode:
        servers.skip("a Node client: no node with %s (packaging/deps.sh test installs it)"
                     % MODULE)
    checks = bad = 0
    for name in sys.argv[1:] or ("broker", "zookeeper"):
        if name == "zookeeper" and not servers.have_zookeeper():
            print("SKIPPED: a Node client on a real ZooKeeper: that is not installed")
            continue
        print("%s:" % name, flush=True)
        with (servers.ZooKeeper() if name == "zookeeper" else servers.Broker()) as server:
            counts = run(node, environment, server)
        checks += counts[0]
        bad += counts[1]
    print("%d%%: Checks: %d, Failures: %d, Errors: 0" % (
        100 * (checks - bad) // max(checks, 1), checks, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
