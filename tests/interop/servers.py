"""servers.py - a real ZooKeeper and our broker, each in a directory of its own on
a free port of the loopback, gone with the test."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

CLASSPATH = "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar"
JAR = "/usr/share/java/zookeeper.jar"
WAIT_S = 20.0
# "super:secret", for both servers.
SUPER = "super:secret"
SUPER_DIGEST = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
# Of our broker, where a test wants them.
ALL_WORDS = 'words = [ "*" ];\n'
SUPER_CONF = 'super_digest = "%s";\n' % SUPER_DIGEST


def skip(why):
    """End this program as run.sh knows it: it says why."""
    print("SKIPPED: " + why)
    sys.exit(77)


def have_zookeeper():
    return os.path.exists(JAR) and shutil.which("java") is not None


def built(name):
    """A program as built: BUILD says where."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    return os.path.join(os.environ.get("MUSTER_BUILD") or os.path.join(root, "build"), name)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(ready, what):
    limit = time.monotonic() + WAIT_S
    while time.monotonic() < limit:
        got = ready()
        if got:
            return got
        time.sleep(0.02)
    raise RuntimeError("%s: nothing after %d s" % (what, WAIT_S))


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """One process with a directory, a log and a port."""

    def __init__(self, name):
        self.name, self.process, self.port = name, None, 0
        self.dir = tempfile.mkdtemp(prefix="muster-interop-")
        self.log = os.path.join(self.dir, "log")

    def begin(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def spawn(self, argv):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                cwd=self.dir, preexec_fn=_die_with_parent)

    def alive(self):
        if self.process.poll() is not None:
            raise RuntimeError("%s ended with %s:\n%s" % (
                self.name, self.process.returncode, self.tail()))
        return True

    def tail(self):
        with open(self.log, "r", errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def kill(self, signum=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signum)
        if self.process:
            try:
                self.process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ZooKeeper(Server):
    """A real standalone server. Its log is not synced: order and answers are what
    is compared here, not a crash of the machine."""

    def __init__(self, name="ZooKeeper"):
        super().__init__(name)
        self.port = free_port()
        self.begin()

    def start(self):
        conf = os.path.join(self.dir, "zoo.cfg")
        with open(conf, "w") as f:
            f.write("tickTime=2000\ndataDir=%s/data\nclientPort=%d\n"
                    "clientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
                    "maxClientCnxns=0\nminSessionTimeout=10000\n"
                    "maxSessionTimeout=40000\n" % (self.dir, self.port))
        off = {"forceSync": "no", "extendedTypesEnabled": "true",
               "4lw.commands.whitelist": "*", "preAllocSize": "1024"}
        argv = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        argv += ["-Dzookeeper.%s=%s" % kv for kv in off.items()]
        argv += ["-Dzookeeper.DigestAuthenticationProvider.superDigest=" + SUPER_DIGEST,
                 "-Dznode.container.checkIntervalMs=86400000",
                 "-cp", CLASSPATH,
                 "org.apache.zookeeper.server.ZooKeeperServerMain", conf]
        self.spawn(argv)
        wait_for(self.is_up, "ZooKeeper")

    def is_up(self):
        self.alive()
        try:
            return b"Mode: " in word(self.port, "srvr", 1.0)
        except OSError:
            return False


class Broker(Server):
    """Our broker with its ZooKeeper port, sessions as ZooKeeper bounds them."""

    def __init__(self, program=None, name="broker", extra=""):
        super().__init__(name)
        self.program = program or built("muster-broker")
        self.ready = os.path.join(self.dir, "ready")
        self.extra = extra
        self.begin()

    def start(self):
        conf = os.path.join(self.dir, "broker.conf")
        if os.path.exists(self.ready):
            os.unlink(self.ready)
        with open(conf, "w") as f:
            f.write('listen = [ "ipc://%s/sock" ];\n'
                    'listen_zookeeper = [ "127.0.0.1:%s" ];\n'
                    'data_dir = "%s/data";\nready_file = "%s";\ncontrol = "";\n'
                    'journal_segment_bytes = 1048576;\n'
                    "session_timeout_min_ms = 10000;\n"
                    "session_timeout_max_ms = 40000;\n"
                    "links_per_address_max = 0;\n%s\n" % (
                        self.dir, self.port or "*", self.dir, self.ready, self.extra))
        self.spawn([self.program, "--config", conf])
        self.port = wait_for(self.listens, "the broker")

    def listens(self):
        self.alive()
        if not os.path.exists(self.ready):
            return 0
        with open(self.ready) as f:
            for line in f:
                if line.startswith("zookeeper://") and line.endswith("\n"):
                    return int(line.strip().rsplit(":", 1)[1])
        return 0


def word(port, text, patience=WAIT_S):
    """The answer to a four-letter word."""
    with socket.create_connection(("127.0.0.1", port), patience) as s:
        s.sendall(text.encode())
        parts = []
        while True:
            part = s.recv(65536)
            if not part:
                return b"".join(parts)
            parts.append(part)
