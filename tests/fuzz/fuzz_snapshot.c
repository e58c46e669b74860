/*
 * fuzz_snapshot.c - a snapshot from a hostile disk.
 *
 * The input is a snapshot whose checksums are made right first, as far as its
 * blocks reach, for nothing else would get past them. It is refused, or it makes
 * a store that keeps its own promises; that store's snapshot comes back as the
 * same bytes, whatever the hash key. What makes a store passes a mere look too.
 */
#include "fuzz.h"
#include "crc.h"
#include "mem.h"
#include "snapshot_impl.h"

static const struct mu_when snap_now = { 1000, 1700000000000 };

static struct mu_store_config snap_config(uint8_t key)
{
	return (struct mu_store_config){
		.hash_key = { key },
		.tick_ms = 50,
		.session_timeout_min_ms = 100,
		.session_timeout_max_ms = 1000,
		.handshake_timeout_ms = 300,
		.packet_max = 400,
		.reply_max = 200,
		.outstanding_max = 3,
		.sessions_max = 6,
		.links_max = 5,
		.watches_max = 9,
	};
}

static void snap_seal_block(uint8_t *at, uint32_t len)
{
	const uint8_t *payload = at + MU_SNAP_BLOCK_HEAD;

	mu_snap_put32(at + 8, mu_crc32c(0, payload, len));
	mu_snap_put32(at + 12, mu_crc32c(0, at, 12));
}

static void snap_seal(uint8_t *at, size_t len)
{
	uint32_t chain, n;

	if (len < MU_SNAPSHOT_HEAD)
		return;
	mu_snap_put32(at + MU_SNAP_CRC_AT, mu_crc32c(0, at, MU_SNAP_CRC_AT));
	chain = mu_crc32c(0, at, MU_SNAPSHOT_HEAD);
	at += MU_SNAPSHOT_HEAD;
	len -= MU_SNAPSHOT_HEAD;
	while (len >= MU_SNAP_BLOCK_HEAD) {
		n = mu_snap_get32(at + 4);
		if (n > len - MU_SNAP_BLOCK_HEAD)
			return;
		if (mu_snap_get32(at) == MU_SNAP_END && n == MU_SNAP_END_LEN)
			mu_snap_put32(at + MU_SNAP_BLOCK_HEAD + MU_SNAP_COUNTS,
			              chain);
		snap_seal_block(at, n);
		chain = mu_crc32c(chain, at, MU_SNAP_BLOCK_HEAD);
		at += MU_SNAP_BLOCK_HEAD + n;
		len -= MU_SNAP_BLOCK_HEAD + n;
	}
}

/* The code; a store only if it is 0 and there is a config. */
static int snap_load(const uint8_t *at, size_t len, size_t piece,
                     const struct mu_store_config *config,
                     struct mu_store **out)
{
	struct mu_err err = { 0 };
	struct mu_snapload *l;
	int rc = mu_snapload_new(config, snap_now, len, &l, &err);

	MU_BUG_ON(rc != 0);
	for (size_t n; len > 0 && !rc; at += n, len -= n) {
		n = len < piece ? len : piece;
		rc = mu_snapload_feed(l, at, n, &err);
	}
	if (!rc)
		rc = mu_snapload_done(l, config ? out : NULL, &err);
	MU_BUG_ON(rc && rc != MU_EDATA && rc != MU_EUNIMPLEMENTED);
	MU_BUG_ON(rc && !err.msg[0]);
	mu_snapload_free(l);
	return rc;
}

static int snap_keep(void *arg, const void *bytes, size_t len)
{
	mu_buf_put(arg, bytes, len);
	return 0;
}

static void snap_write(const struct mu_store *s, struct mu_buf *out)
{
	MU_BUG_ON(mu_snapshot_write(s, snap_keep, out) != 0);
	MU_BUG_ON(mu_buf_failed(out));
}

static void snap_comes_back(struct mu_store *s)
{
	const struct mu_store_config config = snap_config(2);
	struct mu_buf first = { 0 }, again = { 0 };
	struct mu_store *other;

	mu_store_verify(s);
	snap_write(s, &first);
	MU_BUG_ON(snap_load(first.data, first.len, 100, &config, &other) != 0);
	mu_store_verify(other);
	snap_write(other, &again);
	MU_BUG_ON(first.len != again.len ||
	          memcmp(first.data, again.data, first.len) != 0);
	mu_store_free(other);
	mu_buf_fini(&first);
	mu_buf_fini(&again);
}

int FUZZ_ENTRY(const uint8_t *bytes, size_t len);

int FUZZ_ENTRY(const uint8_t *bytes, size_t len)
{
	const struct mu_store_config config = snap_config(1);
	struct mu_store *s = NULL;
	uint8_t *copy = mu_alloc(len + 1);

	MU_BUG_ON(!copy);
	if (len)
		memcpy(copy, bytes, len);
	snap_seal(copy, len);
	if (snap_load(copy, len, len, &config, &s) == 0) {
		MU_BUG_ON(snap_load(copy, len, 7, NULL, NULL) != 0);
		snap_comes_back(s);
		mu_store_free(s);
	}
	mu_free(copy);
	return 0;
}
