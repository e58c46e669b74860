#!/usr/bin/python3
"""node.py - node_suite.js against our broker, or (--zookeeper) a real ZooKeeper.

node-zookeeper-client is looked for where NODE_PATH says and in the build's own
interop-node, which `npm install --prefix build/interop-node
node-zookeeper-client@1.1.3` makes."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers  # noqa: E402

LIMIT_S = 100
MODULE = "node-zookeeper-client"


def main():
    environment = dict(os.environ)
    own = servers.built(os.path.join("interop-node", "node_modules"))
    environment["NODE_PATH"] = ":".join(
        p for p in (os.environ.get("NODE_PATH"), own) if p)
    node = shutil.which("node")
    if not node or subprocess.run([node, "-e", "require('%s')" % MODULE], env=environment,
                                  stderr=subprocess.DEVNULL).returncode:
        servers.skip("a Node client: no node with %s (npm install --prefix "
                     "build/interop-node %s)" % (MODULE, MODULE))
    suite = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_suite.js")
    real = "--zookeeper" in sys.argv
    with (servers.ZooKeeper() if real else servers.Broker()) as server:
        return subprocess.run([node, suite, str(server.port)], env=environment,
                              timeout=LIMIT_S).returncode


if __name__ == "__main__":
    sys.exit(main())
