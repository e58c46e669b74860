/*
 * snapshot_kit.h - stores that are made by commands alone, and snapshots in
 * memory, for the tests of snapshots.
 */
#ifndef MU_TEST_SNAPSHOT_KIT_H
#define MU_TEST_SNAPSHOT_KIT_H

#include "command.h"
#include "snapshot.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t *at;
	size_t len, room;
	unsigned calls;
	int refuse_at; /* the call that gives -77; -1: none */
};

static inline int keep_bytes(void *arg, const void *p, size_t len)
{
	struct bytes *b = arg;

	if (b->refuse_at >= 0 && b->calls == (unsigned)b->refuse_at) {
		b->refuse_at = -2; /* the next call is one too many */
		return -77;
	}
	ck_assert_int_ne(b->refuse_at, -2);
	b->calls++;
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->at = realloc(b->at, b->room);
		ck_assert_ptr_nonnull(b->at);
	}
	memcpy(b->at + b->len, p, len);
	b->len += len;
	return 0;
}

static inline struct bytes snapshot_of(const struct mu_store *s)
{
	struct bytes b = { .refuse_at = -1 };

	ck_assert_int_eq(mu_snapshot_write(s, keep_bytes, &b), 0);
	return b;
}

static inline void assert_same_bytes(const struct bytes *a,
                                     const struct bytes *b)
{
	ck_assert_uint_eq(a->len, b->len);
	ck_assert_mem_eq(a->at, b->at, a->len);
}

static inline struct mu_store_config kit_config(uint8_t key)
{
	return (struct mu_store_config){
		.hash_key = { key, 9, key },
		.tree_id = 77,
		.tick_ms = 50,
		.session_timeout_min_ms = 100,
		.session_timeout_max_ms = 60000,
		.handshake_timeout_ms = 1000,
		.packet_max = 1 << 20,
		.reply_max = 1 << 20,
		.outstanding_max = 100,
		.sessions_max = 100,
		.links_max = 100,
		.watches_max = 1000,
	};
}

static const struct mu_when kit_now = { 5000, 1700000000000 };

static inline struct mu_store *kit_store(uint8_t key)
{
	struct mu_store_config config = kit_config(key);
	struct mu_store *s;

	ck_assert_int_eq(mu_store_new(&config, kit_now, &s, NULL), 0);
	return s;
}

/* Feed in pieces of `piece` bytes. The code; the store only if it is 0. */
static inline int load_pieces(const uint8_t *at, size_t len, size_t piece,
                              const struct mu_store_config *config,
                              struct mu_store **out, struct mu_err *err)
{
	struct mu_snapload *l;
	int rc = mu_snapload_new(config, kit_now, len, &l, err);

	if (rc)
		return rc;
	for (size_t n; len > 0 && !rc; at += n, len -= n) {
		n = len < piece ? len : piece;
		rc = mu_snapload_feed(l, at, n, err);
	}
	if (!rc)
		rc = mu_snapload_done(l, out, err);
	mu_snapload_free(l);
	return rc;
}

static inline struct mu_store *restored(const struct bytes *b, uint8_t key)
{
	struct mu_store_config config = kit_config(key);
	struct mu_err err = { 0 };
	struct mu_store *s = NULL;
	int rc = load_pieces(b->at, b->len, b->len, &config, &s, &err);

	ck_assert_msg(rc == 0, "%s", err.msg);
	mu_store_verify(s);
	return s;
}

/* ---- commands ---- */

/* What is written is kept, so that another store can replay it. */
struct script {
	struct mu_store *s;
	int64_t zxid;
	int64_t time_ms;
	struct mu_buf command;
	struct mu_buf all; /* u32 length and bytes of each */
	uint32_t count;
};

static inline void script_open(struct script *c, struct mu_store *s)
{
	memset(c, 0, sizeof *c);
	c->s = s;
	c->zxid = INT64_C(1) << 32;
	c->time_ms = kit_now.wall_ms;
}

static inline void script_close(struct script *c)
{
	mu_buf_fini(&c->command);
	mu_buf_fini(&c->all);
	mu_store_free(c->s);
}

static inline void say_begin(struct script *c, int32_t type, int64_t session)
{
	const struct mu_command head = {
		.zxid = ++c->zxid,
		.type = type,
		.session = session,
		.time_ms = ++c->time_ms,
		.origin = MU_STR("tcp:10.0.0.9:4"),
		.rules = MU_RULE_TTL | MU_RULE_QUOTAS,
	};

	mu_buf_reset(&c->command);
	mu_put_command(&c->command, &head);
}

static inline void say_end(struct script *c)
{
	uint32_t len = (uint32_t)c->command.len;

	ck_assert(!mu_buf_failed(&c->command));
	ck_assert_int_eq(mu_store_replay(c->s, c->command.data, len), 0);
	mu_buf_put(&c->all, &len, sizeof len);
	mu_buf_put(&c->all, c->command.data, len);
	c->count++;
}

static inline void replay_all(const struct script *c, struct mu_store *s,
                              uint32_t from)
{
	const uint8_t *at = c->all.data;
	uint32_t len;

	for (uint32_t i = 0; i < c->count; i++, at += sizeof len + len) {
		memcpy(&len, at, sizeof len);
		if (i >= from)
			ck_assert_int_eq(
				mu_store_replay(s, at + sizeof len, len), 0);
	}
}

static inline void say_session(struct script *c, int64_t id, int32_t timeout_ms)
{
	char password[MU_PASSWORD_LEN];
	const struct mu_create_session r = {
		.timeout_ms = timeout_ms,
		.password = { password, sizeof password },
	};

	memset(password, (int)(id & 0xff), sizeof password);
	say_begin(c, MU_OP_CREATE_SESSION, id);
	mu_put_create_session(&c->command, &r);
	say_end(c);
}

static inline void say_close(struct script *c, int64_t id)
{
	say_begin(c, MU_OP_CLOSE_SESSION, id);
	mu_put_close_session(&c->command, MU_CAUSE_CLIENT);
	say_end(c);
}

static inline struct mu_create_request
kit_create(const char *path, const void *data, int32_t len, int32_t mode)
{
	return (struct mu_create_request){
		.path = mu_str_of(path),
		.data = { data, data ? (uint32_t)len : 0 },
		.acl = mu_acl_open(),
		.mode = mode,
	};
}

static inline void say_request(struct script *c, int64_t session, int32_t op,
                               const struct mu_create_request *r)
{
	say_begin(c, op, session);
	mu_put_create(&c->command, op, r);
	say_end(c);
}

static inline void say_create(struct script *c, int64_t session,
                              const char *path, const void *data, int32_t len,
                              int32_t mode)
{
	struct mu_create_request r = kit_create(path, data, len, mode);

	say_request(c, session, MU_OP_CREATE, &r);
}

static inline void say_set(struct script *c, const char *path, const char *data)
{
	const struct mu_set_data_request r = {
		.path = mu_str_of(path),
		.data = mu_str_of(data),
		.version = -1,
	};

	say_begin(c, MU_OP_SET_DATA, 0);
	mu_put_set_data(&c->command, &r);
	say_end(c);
}

static inline void say_delete(struct script *c, const char *path)
{
	const struct mu_delete_request r = { mu_str_of(path), -1 };

	say_begin(c, MU_OP_DELETE, 0);
	mu_put_delete(&c->command, &r);
	say_end(c);
}

/* An ACL of one entry that is not the open one. */
static inline struct mu_vec kit_acl(struct mu_buf *b, const char *scheme,
                                    const char *id)
{
	const struct mu_acl a = { MU_PERM_READ | MU_PERM_WRITE,
		                  mu_str_of(scheme), mu_str_of(id) };

	mu_buf_reset(b);
	mu_put_acl(b, &a);
	return (struct mu_vec){ 1, b->data, b->len };
}

static inline void say_acl(struct script *c, const char *path,
                           const char *scheme, const char *id)
{
	struct mu_buf b = { 0 };
	const struct mu_set_acl_request r = {
		.path = mu_str_of(path),
		.acl = kit_acl(&b, scheme, id),
		.version = -1,
	};

	say_begin(c, MU_OP_SET_ACL, 0);
	mu_put_set_acl(&c->command, &r);
	say_end(c);
	mu_buf_fini(&b);
}

/* Ephemerals "<prefix>0", "<prefix>1" of one session, all under one zxid. */
static inline void say_many(struct script *c, int64_t session,
                            const char *prefix, int count)
{
	char path[64];

	say_begin(c, MU_OP_MULTI, session);
	for (int i = 0; i < count; i++) {
		struct mu_create_request r;

		snprintf(path, sizeof path, "%s%d", prefix, i);
		r = kit_create(path, "m", 1, MU_MODE_EPHEMERAL);
		mu_put_multi_header(&c->command, MU_OP_CREATE, false, -1);
		mu_put_create(&c->command, MU_OP_CREATE, &r);
	}
	mu_put_multi_header(&c->command, -1, true, -1);
	say_end(c);
}

/* A bit of everything that a tree can have, in few bytes. */
static inline void say_sample(struct script *c)
{
	struct mu_create_request ttl =
		kit_create("/ttl", "t", 1, MU_MODE_PERSISTENT_TTL);
	struct mu_create_request box =
		kit_create("/box", "", 0, MU_MODE_CONTAINER);

	ttl.ttl_ms = 5000;
	say_session(c, 0x100000000000011, 4000);
	say_session(c, 0x100000000000012, 700);
	say_session(c, 0x100000000000013, 60000);
	say_create(c, 0, "/a", "0123456789", 10, 0);
	say_create(c, 0, "/a/null", NULL, 0, 0);
	say_create(c, 0, "/a/near", "1", 1, 0);
	say_create(c, 0, "/a/near/deep", "", 0, 0);
	say_create(c, 0, "/a/near/deep/er", "x", 1, 0);
	say_create(c, 0x100000000000011, "/a/e1", "e", 1, MU_MODE_EPHEMERAL);
	say_create(c, 0x100000000000012, "/e2", NULL, 0, MU_MODE_EPHEMERAL);
	say_many(c, 0x100000000000011, "/m", 5);
	say_create(c, 0x100000000000011, "/a/near/e3", "", 0,
	           MU_MODE_EPHEMERAL);
	say_create(c, 0, "/a/n\xc3\xa4me", "u", 1, 0);
	say_create(c, 0, "/a/s-", "", 0, MU_MODE_PERSISTENT_SEQUENTIAL);
	say_request(c, 0, MU_OP_CREATE_TTL, &ttl);
	say_request(c, 0, MU_OP_CREATE_CONTAINER, &box);
	say_create(c, 0, "/box/in", "", 0, 0);
	say_create(c, 0, "/gone", "", 0, 0);
	say_acl(c, "/a/near", "world", "anyone");
	say_acl(c, "/m3", "ip", "10.0.0.9");
	say_acl(c, "/a/null", "ip", "10.0.0.9");
	say_acl(c, "/a/null", "ip", "10.0.0.9");
	say_set(c, "/a", "changed");
	say_set(c, "/", "root");
	say_delete(c, "/gone");
	say_delete(c, "/m1");
	say_delete(c, "/box/in");
}

#endif /* MU_TEST_SNAPSHOT_KIT_H */
