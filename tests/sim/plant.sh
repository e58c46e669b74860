#!/bin/bash
# plant.sh [NAME...] - mistakes made on purpose, one at a time, in a copy of the
# source: the simulation (or the test that is named) must notice each. Says who
# did. Fails if a mistake is noticed by nobody, or cannot be made any more.
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
wanted=" $* "
more='20 100 400' # seeds: ever more, until one fails
made=0 missed=0

build() {
	make -s -C "$dir" -j2 BUILD="$dir/b" CFLAGS='-O1 -g -Wno-error' Q=@ "$@" >"$dir/log" 2>&1
}

# The words of whoever noticed, or nothing.
ask() { # sim | unit/test_x | io/test_x
	local seeds n=1
	if [ "$1" != sim ]; then
		build "$dir/b/tests/$1" || { echo "does not build: $(tail -n 1 "$dir/log")"; return; }
		timeout 300 "$dir/b/tests/$1" 2>&1 | grep -aoE '[a-z_]+\.c:[0-9]+:[FE]:.*' | head -n 1
		return
	fi
	build "$dir/b/tests/sim/test_sim" || { echo "does not build: $(tail -n 1 "$dir/log")"; return; }
	for seeds in $more; do
		(cd "$dir" && LINES_MAX=0 tests/sim/many.sh "$dir/b/tests/sim/test_sim" "$seeds" "$n") >"$dir/out" && {
			n=$((n + seeds))
			continue
		}
		sed -nE 's/^[^ ]*\.c:[0-9]+:[FE]:([a-z]+):[^:]*:[0-9]+: /\1, /p' "$dir/out" | head -n 1
		return
	done
}

plant() { # NAME FILE WHO SED-SCRIPT
	local name=$1 file=$2 who=$3 said
	case "$wanted" in "  " | *" $name "*) ;; *) return ;; esac
	cp "$file" "$dir/kept"
	sed -E -i "$4" "$dir/$file"
	made=$((made + 1))
	if cmp -s "$dir/$file" "$dir/kept"; then
		echo "  GONE   $name: nothing in $file to plant it in"
		missed=$((missed + 1))
		return
	fi
	said=$(ask "$who")
	case "$said" in
	"" | "does not build"*)
		echo "  MISSED $name${said:+: $said}"
		missed=$((missed + 1))
		;;
	*) echo "  seen   $name ($who): ${said:0:160}" ;;
	esac
	cp "$dir/kept" "$dir/$file"
}

git ls-files -co --exclude-standard -z | xargs -0 sh -c 'for f; do [ -f "$f" ] && printf "%s\0" "$f"; done' sh |
	tar c --null -T - | tar x -C "$dir"

# ---- the journal
plant lost-fsync agent/io/segments.c sim \
	'/s->bytes \+= len;/,/s->at \+= len/ s/rc = mu_segments_sync\(.*;/rc = 0;/'
plant lost-fsync-of-a-new-segment agent/io/segments.c sim \
	'/^static int fill_new/,/^}/ s/return mu_segments_sync\(.*;/return 0;/'
plant lost-fsync-of-the-directory agent/io/segments.c sim \
	'/^static int publish/,/^}/ s/return mu_segments_sync_dir\(.*;/return 0;/'
plant failed-fsync-tried-again agent/io/segments.c sim \
	's/const int rc = s->disk->sync\(s->disk, fd\);/int rc = s->disk->sync(s->disk, fd); if (rc < 0) rc = s->disk->sync(s->disk, fd);/'
plant tail-believed-after-a-failed-fsync agent/io/segments_replay.c sim \
	's/rc = write_again\(.*;/rc = 0;/'
plant failed-write-left-and-built-on agent/io/segments.c sim \
	'/^static int write_here/,/^}/ s/take_back\(s\);/s->at += len;/'
plant torn-tail-accepted agent/core/logrec.c sim \
	'/^static bool rest_at/,/^}/ s/crc_of\(.*== get32\(r \+ 4\)/true/'
plant torn-tail-stops-the-start agent/core/logrec.c sim \
	's/\? MU_LOG_BAD : MU_LOG_TORN/? MU_LOG_BAD : MU_LOG_BAD/'
plant damage-taken-for-a-torn-tail agent/core/logrec.c unit/test_logrec \
	's/\? MU_LOG_BAD : MU_LOG_TORN/? MU_LOG_TORN : MU_LOG_TORN/'
plant older-segment-not-superseded agent/io/segments_replay.c sim \
	's/while \(r->scan\.next < before\)/while (before)/'
plant purge-too-early agent/io/segments.c sim \
	's/first <= upto \+ 1\)/first <= upto + 50)/'
plant told-durable-before-it-is tests/sim/broker.c sim \
	's/^(\tuint32_t number = storage_begin\(.*);/\1; storage_believe(\&b->storage, b->told_ms); mu_store_durable(b->store, b->storage.durable);/'
# ---- the snapshot
plant snapshot-renamed-before-sync agent/io/snapfile.c sim \
	'/^static int write_tmp/,/^}/ s/rc = d->sync\(d, o\.fd\);/rc = 0;/'
plant snapshot-of-another-index agent/core/store_load.c sim \
	's/s->logged = s->applied = info->index;/s->logged = s->applied = info->index + 1;/'
plant snapshot-forgets-what-was-counted agent/core/tree_load.c sim \
	's/n->creates = row->creates;/n->creates = 0;/'
# ---- the store
plant event-after-its-reply agent/core/store_apply.c sim \
	's/return tell_all\(s\);/return 0;/; s/mu_peer_drain\(s, waiter\);/mu_peer_drain(s, waiter); if (tell_all(s)) return MU_ENOMEM;/'
plant read-before-its-own-write agent/core/store_request.c sim \
	's/if \(!p->head && wait <= s->applied\)/if (wait || !wait)/'
plant multi-half-applied agent/core/command_apply.c sim \
	'/^static int run_multi/,/^}/ s/mu_tree_rollback\(r->tree\);/mu_tree_commit(r->tree);/'
plant sequential-number-reused agent/core/tree.c sim \
	's/return mu_tree_is_ephemeral\(t, n\) \? 0 : \(int32_t\)n->creates;/return (int32_t)(n->creates \& 3);/'
plant zxid-reused-after-a-restart agent/core/store_load.c sim \
	's/int64_t least = .*/int64_t least = (int64_t)1 << 32;/; s/if \(s->zxid < least\)/if (epoch)/'
plant refused-write-uses-up-a-zxid agent/core/store_log.c unit/test_store_order \
	's/s->logged = s->applied;/s->logged = s->applied; s->zxid = s->zxid_taken;/'
plant deadline-not-moved-by-a-stall agent/core/store.c sim \
	's/mu_sessions_stalled\(s->sessions, since_ms - tick_ms\);/(void)tick_ms;/'
plant no-full-timeout-after-a-restart agent/core/store_load.c sim \
	's/mu_sessions_each\(s->sessions, touch, \&fresh\);/(void)touch; (void)fresh;/'
plant ephemerals-outlive-their-session agent/core/command_apply.c sim \
	's/while \(mu_tree_owned\(/while (s_never \&\& mu_tree_owned(/; s/^static int run_close_session/static const int s_never = 0;\nstatic int run_close_session/'
plant missed-change-not-told agent/core/store_read.c sim \
	's/mu_tree_mzxid\(t, id\) > rel \? MU_NODE_DATA_CHANGED : 0/mu_tree_mzxid(t, id) > rel + 1 ? MU_NODE_DATA_CHANGED : 0/'
plant watch-lost-on-a-new-link agent/core/store_read.c sim \
	's/err = add_watch\(r, path, kind\);/err = i ? add_watch(r, path, kind) : 0;/'
# ---- subscriptions
plant change-told-without-moving-on agent/core/store_subscribe.c sim \
	's/sub->prev_zxid = s->zxid;//'
plant gone-changes-not-announced agent/core/changelog.c sim \
	'/^static void drop_first/,/^}/ s/l->floor = p->zxid;//'
plant resumed-one-too-far agent/core/changelog.c unit/test_changelog \
	's/while \(n-- >= 0 &&/while (n-- >= -1 \&\&/'
plant log-older-than-its-snapshot agent/core/store_load.c sim \
	's/mu_changelog_start\(s->changes, info->zxid,/mu_changelog_start(s->changes, 0,/'
plant another-trees-position-believed agent/core/store.c sim \
	's/mu_changelog_start\(s->changes, c\.zxid - 1, -1\);/mu_changelog_start(s->changes, 0, -1);/'
plant caught-up-with-the-node-of-now agent/core/command_apply.c unit/test_semantics \
	'/^static void capture\(/,/^}/ s/mu_tree_stat\(r->tree, id, &e\.stat\);/mu_tree_stat(r->tree, MU_NODE_ROOT, \&e.stat);/'
plant caught-up-without-the-right agent/core/store_subscribe.c unit/test_semantics \
	's/if \(!change->open && !mu_peer_may\(/if (!change \&\& !mu_peer_may(/'
plant event-lost-and-the-link-kept agent/core/store_apply.c unit/test_store_subscribe \
	's/mu_doomed_end\(s\);//'
plant older-snapshot-believed agent/core/store_load.c unit/test_store_subscribe \
	's/info->changes < 0 \? MU_CHANGE_N_END/info->changes < 0 ? 0/'

echo "$made mistakes made, $missed not noticed"
[ "$missed" = 0 ] && [ "$made" -gt 0 ]
