#!/usr/bin/python3
"""kazoo_suite.py - kazoo, a ZooKeeper client that nobody here wrote, with its
recipes and watchers, against our broker's ZooKeeper port.

    tests/interop/kazoo_suite.py              against the broker as built
    tests/interop/kazoo_suite.py --zookeeper  against a real ZooKeeper: what passes
                                              there must pass here
    tests/interop/kazoo_suite.py NAME...      these only
"""
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers  # noqa: E402

try:
    import kazoo
    from kazoo.client import KazooClient, KazooState
    from kazoo import exceptions as errors
    from kazoo.recipe.cache import TreeCache, TreeEvent
    from kazoo.retry import KazooRetry
    from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl
except ImportError:
    kazoo = None

WAIT_S = 15.0
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Bed:
    """A server, and clients that end with the test."""

    def __init__(self, server):
        self.server, self.clients = server, []

    def client(self, chroot="", start=True, timeout=10.0, **more):
        made = KazooClient("127.0.0.1:%d%s" % (self.server.port, chroot),
                           timeout=timeout, **more)
        self.clients.append(made)
        if start:
            made.start(WAIT_S)
        return made

    def clear(self):
        for client in self.clients:
            try:
                client.stop()
                client.close()
            except Exception:  # it may have been broken on purpose
                pass
        self.clients = []


def until(ready, what):
    limit = time.monotonic() + WAIT_S
    while not ready():
        assert time.monotonic() < limit, "in vain waited for: " + what
        time.sleep(0.01)


def side_by_side(work, count):
    """Run `work(n)` in threads; the first failure is the test's."""
    failed = queue.Queue()

    def one(n):
        try:
            work(n)
        except BaseException as error:
            failed.put(error)

    threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(WAIT_S)
        assert not t.is_alive(), "a thread did not come to its end"
    if not failed.empty():
        raise failed.get()


def refused(kind, call, *args, **more):
    try:
        call(*args, **more)
    except kind:
        return
    raise AssertionError("%s was not refused with %s" % (call.__name__, kind.__name__))


# ---- plain requests ---------------------------------------------------------------

@test
def nodes_are_made_read_changed_and_deleted(bed):
    zk = bed.client()
    assert zk.create("/n/deep/er", b"one", makepath=True) == "/n/deep/er"
    data, stat = zk.get("/n/deep/er")
    assert (data, stat.version, stat.data_length) == (b"one", 0, 3)
    assert zk.set("/n/deep/er", b"two").version == 1
    refused(errors.BadVersionError, zk.set, "/n/deep/er", b"x", version=0)
    refused(errors.NodeExistsError, zk.create, "/n/deep/er")
    refused(errors.NotEmptyError, zk.delete, "/n/deep")
    assert zk.get_children("/n", include_data=True)[0] == ["deep"]
    path, stat = zk.create("/n/stat", b"x", include_data=True)
    assert (path, stat.version) == ("/n/stat", 0)
    assert zk.sync("/n") == "/n"
    zk.delete("/n", recursive=True)
    assert zk.exists("/n") is None


@test
def sequential_and_ephemeral_nodes(bed):
    zk, other = bed.client(), bed.client()
    zk.ensure_path("/seq")
    names = [zk.create("/seq/n-", sequence=True, ephemeral=True) for _ in range(3)]
    assert names == ["/seq/n-%010d" % n for n in range(3)]
    assert other.exists(names[0]).ephemeralOwner == zk.client_id[0]
    refused(errors.NoChildrenForEphemeralsError, zk.create, names[0] + "/x")
    zk.stop()
    assert other.get_children("/seq") == []


@test
def many_requests_are_in_flight_at_once(bed):
    zk = bed.client()
    zk.ensure_path("/many")
    made = [zk.create_async("/many/%d" % n, b"%d" % n) for n in range(300)]
    assert [one.get(WAIT_S) for one in made] == ["/many/%d" % n for n in range(300)]
    read = [zk.get_async("/many/%d" % n) for n in range(300)]
    assert [one.get(WAIT_S)[0] for one in read] == [b"%d" % n for n in range(300)]


@test
def a_big_value_goes_both_ways(bed):
    zk = bed.client()
    big = os.urandom(1000000)
    zk.create("/big", big)
    assert zk.get("/big")[0] == big


@test
def a_chroot_hides_what_is_above(bed):
    zk = bed.client()
    zk.ensure_path("/root/of/it")
    below = bed.client("/root/of")
    assert below.get_children("/") == ["it"]
    seen = queue.Queue()
    assert below.create("/mine") == "/mine"
    below.get("/mine", watch=seen.put)
    zk.set("/root/of/mine", b"x")
    assert seen.get(timeout=WAIT_S).path == "/mine"


@test
def one_shot_watches(bed):
    zk, other = bed.client(), bed.client()
    seen = queue.Queue()

    def got():
        event = seen.get(timeout=WAIT_S)
        return event.type, event.path

    assert zk.exists("/w", watch=seen.put) is None
    other.create("/w")
    assert got() == ("CREATED", "/w")
    zk.get("/w", watch=seen.put)
    other.set("/w", b"1")
    assert got() == ("CHANGED", "/w")
    zk.get_children("/w", watch=seen.put)
    other.create("/w/c")
    assert got() == ("CHILD", "/w")
    other.delete("/w/c")
    zk.get("/w", watch=seen.put)
    other.delete("/w")
    assert got() == ("DELETED", "/w")
    assert seen.empty()


@test
def transactions_are_all_or_nothing(bed):
    zk = bed.client()
    zk.create("/tx", b"0")
    t = zk.transaction()
    t.create("/tx/a", b"1")
    t.check("/tx", 0)
    t.set_data("/tx", b"1")
    t.delete("/tx/a")
    done = t.commit()
    assert done[0] == "/tx/a" and done[1] is True and done[3] is True, done
    assert done[2].version == 1
    t = zk.transaction()
    t.create("/tx/b")
    t.check("/tx", 9)
    t.create("/tx/c")
    done = t.commit()
    assert [type(one) for one in done] == [
        errors.RolledBackError, errors.BadVersionError, errors.RuntimeInconsistency], done
    assert zk.get_children("/tx") == []


# ---- ACLs -----------------------------------------------------------------------------

@test
def a_node_of_a_user_is_closed_to_others(bed):
    owner, other = bed.client(auth_data=[("digest", "ann:secret")]), bed.client()
    acl = make_digest_acl("ann", "secret", all=True)
    owner.create("/private", b"x", acl=[acl])
    refused(errors.NoAuthError, other.get, "/private")
    refused(errors.NoAuthError, other.set, "/private", b"y")
    assert owner.get("/private")[0] == b"x"
    acls, stat = owner.get_acls("/private")
    assert acls == [acl] and stat.aversion == 0
    other.add_auth("digest", "ann:secret")
    assert other.get("/private")[0] == b"x"
    owner.set_acls("/private", OPEN_ACL_UNSAFE)
    assert bed.client().get("/private")[1].aversion == 1


@test
def acls_for_all_the_session_is(bed):
    zk = bed.client()
    refused(errors.InvalidACLError, zk.create, "/authed",
            acl=[make_acl("auth", "", all=True)])
    zk.add_auth("digest", "bob:pw")
    zk.create("/authed", acl=[make_acl("auth", "", all=True)])
    assert zk.get_acls("/authed")[0][0].id.id.startswith("bob:")
    zk.create("/by-address", acl=[make_acl("ip", "127.0.0.0/8", all=True)])
    assert bed.client().get("/by-address")[0] == b""


@test
def a_wrong_scheme_is_told(bed):
    zk = bed.client()
    refused(errors.AuthFailedError, zk.add_auth, "unheard-of", "x")


# ---- recipes ----------------------------------------------------------------------------

@test
def lock(bed):
    zks = [bed.client() for _ in range(4)]
    inside, most, total = [0], [0], [0]

    def work(n):
        for _ in range(5):
            with zks[n].Lock("/lock", "c%d" % n):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                total[0] += 1
                time.sleep(0.001)  # gives the others their chance to break in
                inside[0] -= 1

    side_by_side(work, 4)
    assert (most[0], total[0]) == (1, 20), (most, total)


@test
def a_lock_of_a_session_that_ends_is_free(bed):
    holder, waiter = bed.client(), bed.client()
    assert holder.Lock("/lock-end").acquire(timeout=WAIT_S)
    lock_ = waiter.Lock("/lock-end")
    assert not lock_.acquire(blocking=False)
    assert lock_.contenders() is not None
    holder.stop()
    assert lock_.acquire(timeout=WAIT_S)


@test
def readers_and_writers(bed):
    one, two, three = bed.client(), bed.client(), bed.client()
    with one.ReadLock("/rw"), two.ReadLock("/rw"):
        assert not three.WriteLock("/rw").acquire(blocking=False)
    assert three.WriteLock("/rw").acquire(timeout=WAIT_S)


@test
def semaphore(bed):
    zks = [bed.client() for _ in range(3)]
    for zk in zks[:2]:
        assert zk.Semaphore("/sem", max_leases=2).acquire(timeout=WAIT_S)
    assert not zks[2].Semaphore("/sem", max_leases=2).acquire(blocking=False)
    zks[0].stop()
    assert zks[2].Semaphore("/sem", max_leases=2).acquire(timeout=WAIT_S)


@test
def election(bed):
    zks = [bed.client() for _ in range(3)]
    led, guard = [], threading.Lock()

    def lead(n):
        assert guard.acquire(blocking=False), "two leaders at a time"
        led.append(n)
        guard.release()

    side_by_side(lambda n: zks[n].Election("/elect", str(n)).run(lead, n), 3)
    assert sorted(led) == [0, 1, 2], led


@test
def party(bed):
    zks = [bed.client() for _ in range(3)]
    parties = [zk.Party("/party", "p%d" % n) for n, zk in enumerate(zks)]
    for one in parties:
        one.join()
    assert sorted(parties[0]) == ["p0", "p1", "p2"]
    parties[1].leave()
    zks[2].stop()
    until(lambda: list(parties[0]) == ["p0"], "the two others leave")
    shallow = zks[0].ShallowParty("/party2", "s")
    shallow.join()
    assert list(shallow) == ["s"]


@test
def barrier(bed):
    one, two = bed.client(), bed.client()
    gate = one.Barrier("/barrier")
    gate.create()
    assert two.Barrier("/barrier").wait(0.05) is False
    opened = threading.Timer(0.05, gate.remove)
    opened.start()
    assert two.Barrier("/barrier").wait(WAIT_S) is True
    opened.join()


@test
def double_barrier(bed):
    zks = [bed.client() for _ in range(3)]
    entered = []

    def work(n):
        both = zks[n].DoubleBarrier("/double", 3, "b%d" % n)
        both.enter()
        entered.append(n)
        until(lambda: len(entered) == 3, "all three are in")
        both.leave()

    side_by_side(work, 3)


@test
def counter(bed):
    zks = [bed.client() for _ in range(3)]
    retry = KazooRetry(max_tries=-1, delay=0.001)

    def work(n):
        mine = zks[n].Counter("/counter")
        mine.client.retry = retry
        for _ in range(10):
            mine += 1

    side_by_side(work, 3)
    assert zks[0].Counter("/counter").value == 30


@test
def a_queue_gives_in_order(bed):
    zk = bed.client()
    q = zk.Queue("/queue")
    for n in range(5):
        q.put(b"%d" % n)
    assert len(q) == 5
    assert [q.get() for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    assert q.get() is None


@test
def a_locking_queue_gives_each_once(bed):
    zks = [bed.client() for _ in range(2)]
    zks[0].LockingQueue("/lqueue").put_all([b"%d" % n for n in range(10)])
    got = []

    def work(n):
        q = zks[n].LockingQueue("/lqueue")
        while True:
            item = q.get(timeout=0.3)
            if item is None:
                return
            got.append(item)
            q.consume()

    side_by_side(work, 2)
    assert sorted(got) == [b"%d" % n for n in range(10)], got


@test
def data_watch(bed):
    zk, other = bed.client(), bed.client()
    seen = queue.Queue()
    zk.DataWatch("/dw", lambda data, stat: seen.put(data))
    assert seen.get(timeout=WAIT_S) is None
    other.create("/dw", b"1")
    assert seen.get(timeout=WAIT_S) == b"1"
    other.set("/dw", b"2")
    assert seen.get(timeout=WAIT_S) == b"2"
    other.delete("/dw")
    assert seen.get(timeout=WAIT_S) is None


@test
def children_watch(bed):
    zk, other = bed.client(), bed.client()
    seen = queue.Queue()
    zk.ensure_path("/cw")
    zk.ChildrenWatch("/cw", lambda names: seen.put(sorted(names)))
    assert seen.get(timeout=WAIT_S) == []
    other.create("/cw/a")
    assert seen.get(timeout=WAIT_S) == ["a"]
    other.create("/cw/b")
    assert seen.get(timeout=WAIT_S) == ["a", "b"]
    other.delete("/cw/a")
    assert seen.get(timeout=WAIT_S) == ["b"]


@test
def tree_cache(bed):
    zk, other = bed.client(), bed.client()
    other.create("/tc/a/b", b"1", makepath=True)
    cache, seen = TreeCache(zk, "/tc"), queue.Queue()
    cache.listen(lambda event: seen.put(event.event_type))
    cache.start()
    while seen.get(timeout=WAIT_S) != TreeEvent.INITIALIZED:
        pass
    assert cache.get_data("/tc/a/b").data == b"1"
    other.set("/tc/a/b", b"2")
    until(lambda: cache.get_data("/tc/a/b").data == b"2", "the new value")
    other.create("/tc/a/c")
    until(lambda: cache.get_children("/tc/a") == {"b", "c"}, "the new child")
    other.delete("/tc/a", recursive=True)
    until(lambda: cache.get_data("/tc/a") is None, "the end of the branch")
    cache.close()


@test
def partitioner(bed):
    zks = [bed.client() for _ in range(2)]
    got = {}

    def work(n):
        parts = zks[n].SetPartitioner("/parts", set("abcd"), time_boundary=0.2,
                                      identifier="w%d" % n)
        while not (parts.acquired and len(list(parts)) == 2):
            if parts.release:
                parts.release_set()
            elif parts.allocating:
                parts.wait_for_acquire(1)
            else:
                time.sleep(0.01)
        got[n] = set(parts)

    side_by_side(work, 2)
    assert got[0] | got[1] == set("abcd") and not got[0] & got[1], got


# ---- the link and the session ---------------------------------------------------------------

def cut(client):
    """Break the connection under the client; its session lives on."""
    client._connection._socket.shutdown(2)


@test
def a_broken_link_is_resumed_with_its_session(bed):
    zk, other = bed.client(), bed.client()
    states, seen = queue.Queue(), queue.Queue()
    zk.create("/resume", ephemeral=True)
    zk.get("/resume", watch=seen.put)
    session = zk.client_id
    zk.add_listener(states.put)
    cut(zk)
    assert states.get(timeout=WAIT_S) == KazooState.SUSPENDED
    assert states.get(timeout=WAIT_S) == KazooState.CONNECTED
    assert zk.client_id[0] == session[0]
    assert other.exists("/resume").ephemeralOwner == session[0]
    # kazoo tells one-shot watchers of the loss; watches of recipes come again.
    other.set("/resume", b"x")
    assert zk.get("/resume")[0] == b"x"


@test
def a_data_watch_survives_a_broken_link(bed):
    zk, other = bed.client(), bed.client()
    seen = queue.Queue()
    other.create("/dw-cut", b"1")
    zk.DataWatch("/dw-cut", lambda data, stat: seen.put(data))
    assert seen.get(timeout=WAIT_S) == b"1"
    cut(zk)
    other.set("/dw-cut", b"2")
    until(lambda: not seen.empty() and seen.get() == b"2", "the value set meanwhile")
    other.set("/dw-cut", b"3")
    assert seen.get(timeout=WAIT_S) == b"3"


@test
def a_client_started_with_the_ids_of_another_takes_its_session(bed):
    first = bed.client()
    ident = first.client_id
    first.create("/taken", ephemeral=True)
    second = bed.client(client_id=ident)
    assert second.client_id[0] == ident[0]
    # The first comes back for it in turn, so a request may have to be repeated.
    assert second.retry(second.exists, "/taken").ephemeralOwner == ident[0]


@test
def a_wrong_password_is_an_expired_session(bed):
    first = bed.client()
    ident = first.client_id[0]
    states = queue.Queue()
    thief = bed.client(start=False, client_id=(ident, b"x" * 16))
    thief.add_listener(states.put)
    thief.start(WAIT_S)
    assert thief.client_id[0] != ident
    assert thief.exists("/") is not None


@test
def a_restarted_server_is_found_again(bed):
    """Sessions and their ephemerals outlive a kill -9 of the server."""
    zk, states = bed.client(), queue.Queue()
    session = zk.client_id[0]
    zk.create("/restart", ephemeral=True)
    zk.add_listener(states.put)
    bed.server.kill(signal.SIGKILL)
    assert states.get(timeout=WAIT_S) == KazooState.SUSPENDED
    bed.server.start()
    assert states.get(timeout=WAIT_S) == KazooState.CONNECTED
    assert zk.client_id[0] == session
    assert zk.exists("/restart").ephemeralOwner == session


@test
def four_letter_words(bed):
    zk = bed.client()
    assert zk.command(b"ruok") == "imok"
    said = zk.command(b"stat")
    assert "Mode: standalone" in said and "Node count:" in said, said
    assert zk.server_version()[:2] >= (3, 8)


# ---- running ------------------------------------------------------------------------------

def run_one(one, bed):
    started = time.monotonic()
    try:
        one(bed)
        print("ok    %-55s %.2f s" % (one.__name__, time.monotonic() - started))
        return True
    except Exception:
        print("FAIL  %s" % one.__name__)
        traceback.print_exc(file=sys.stdout)
        return False
    finally:
        bed.clear()
        sys.stdout.flush()


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    real = "--zookeeper" in sys.argv
    if kazoo is None:
        servers.skip("kazoo: not installed (apt-get install python3-kazoo)")
    if real and not servers.have_zookeeper():
        servers.skip("kazoo on ZooKeeper: no ZooKeeper (apt-get install zookeeper)")
    logging.disable(logging.CRITICAL)
    tests = [one for one in TESTS if not names or one.__name__ in names]
    with (servers.ZooKeeper() if real else servers.Broker(extra=servers.ALL_WORDS)) as server:
        good = sum(run_one(one, Bed(server)) for one in tests)
        if server.process is None or server.process.poll() is not None:
            print("the server is gone:\n" + server.tail())
            good -= 1
    print("%d%%: Checks: %d, Failures: %d, Errors: 0" % (
        100 * good // max(len(tests), 1), len(tests), len(tests) - good))
    return 0 if good == len(tests) else 1


if __name__ == "__main__":
    sys.exit(main())
