/* store_bed.c - the bed that is the store alone. */
#include "store_bed.h"

#define ADDRESS "10.0.0.7"
#define ORIGIN ADDRESS ":4711"
#define HEAD 64u /* of a record too large, as the carrier shows it */
#define UNTIL_MS (24u * 3600 * 1000)

struct store_bed store;

/* Not SHA-1, but as good where only the same must be the same. */
void bed_sha1(const void *bytes, size_t len, uint8_t hash[20])
{
	memset(hash, 0, 20);
	for (size_t i = 0; i < len; i++)
		hash[i % 20] = (uint8_t)(hash[i % 20] * 31 +
		                         ((const uint8_t *)bytes)[i] + 7);
}

void bed_open_with(const struct mu_store_config *config)
{
	struct mu_err err;

	memset(&bed, 0, sizeof bed);
	memset(&store, 0, sizeof store);
	bed.timeout_ms = 3000;
	store.config = *config;
	store.now.mono_ms = 1000;
	store.now.wall_ms = 1700000000000;
	ck_assert_int_eq(mu_store_new(config, store.now, &store.s, &err), 0);
}

void bed_forget(void)
{
	for (size_t i = 0; i < store.record_count; i++)
		free(store.records[i].bytes);
	for (size_t i = 0; i < store.command_count; i++)
		free(store.commands[i].bytes);
	free(store.records);
	free(store.closes);
	free(store.commands);
	store.records = NULL;
	store.closes = NULL;
	store.commands = NULL;
	store.record_count = store.close_count = store.command_count = 0;
}

void bed_close(void)
{
	bed_forget();
	mu_buf_fini(&bed.q);
	mu_store_free(store.s);
}

static void *bed_more(void *array, size_t count, size_t size)
{
	if (count & (count + 1) && count) /* grow when count is 2^k - 1 */
		return array;
	array = realloc(array, (count + 1) * 2 * size);
	ck_assert_ptr_nonnull(array);
	return array;
}

static void bed_keep(uint32_t link, struct mu_str rec, bool fanned)
{
	store.records = bed_more(store.records, store.record_count,
	                         sizeof *store.records);
	store.records[store.record_count++] = (struct store_record){
		.link = link,
		.fanned = fanned,
		.len = rec.len,
		.bytes = bed_copy(rec.at, rec.len),
	};
}

static void bed_deliver(const struct mu_effect *e, uint32_t link)
{
	struct mu_in in = mu_in_of(e->bytes, e->len);
	struct mu_str rec;
	int more;

	while ((more = mu_frame_next(&in, &rec)) == 1)
		bed_keep(link, rec, e->kind == MU_FX_FANOUT);
	ck_assert_int_eq(more, 0);
}

void bed_effect(const struct mu_effect *e)
{
	store.effects++;
	switch (e->kind) {
	case MU_FX_SEND:
		bed_deliver(e, e->link);
		break;
	case MU_FX_FANOUT:
		for (size_t i = 0; i < e->link_count; i++)
			bed_deliver(e, e->links[i]);
		break;
	case MU_FX_CLOSE:
		store.closes = bed_more(store.closes, store.close_count,
		                        sizeof *store.closes);
		store.closes[store.close_count++] =
			(struct store_close){ e->link, e->reason };
		break;
	case MU_FX_LOG:
		ck_assert_uint_eq(e->index, store.logged + 1);
		store.logged = e->index;
		store.commands = bed_more(store.commands, store.command_count,
		                          sizeof *store.commands);
		store.commands[store.command_count++] =
			(struct store_command){ e->index, e->len,
			                        bed_copy(e->bytes, e->len) };
		break;
	}
}

void bed_drain(void)
{
	struct mu_effect e;

	while (mu_store_effect(store.s, &e))
		bed_effect(&e);
}

void bed_durable(uint64_t index)
{
	ck_assert_int_eq(mu_store_durable(store.s, index), 0);
	bed_drain();
	mu_store_verify(store.s);
}

void bed_pump(void)
{
	struct mu_store_stats stats;

	bed_drain();
	for (;;) {
		mu_store_stats(store.s, &stats);
		if (store.slow || stats.applied == store.logged)
			break;
		bed_durable(store.logged);
	}
	mu_store_verify(store.s);
}

void bed_entropy(void)
{
	uint8_t bytes[256];
	static uint8_t next;
	size_t n = mu_store_entropy_wanted(store.s);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(next++ * 37 + 11);
	mu_store_entropy(store.s, bytes, n);
}

void bed_receive(uint32_t link, const void *bytes, size_t len)
{
	bed_entropy();
	mu_store_receive(store.s, link, bytes, len, store.now);
	bed_pump();
}

void bed_tick(uint64_t ms)
{
	store.now.mono_ms += ms;
	store.now.wall_ms += (int64_t)ms;
	mu_store_tick(store.s, store.now);
	bed_pump();
}

void bed_pass(uint64_t ms)
{
	for (; ms > 50; ms -= 50)
		bed_tick(50);
	bed_tick(ms);
}

struct store_record *bed_peek(uint32_t link)
{
	for (size_t i = 0; i < store.record_count; i++)
		if (store.records[i].link == link && !store.records[i].taken)
			return &store.records[i];
	return NULL;
}

struct mu_in bed_take(uint32_t link)
{
	struct store_record *r = bed_peek(link);

	ck_assert_msg(r != NULL, "nothing was sent to link %u", link);
	r->taken = true;
	return mu_in_of(r->bytes, r->len);
}

void bed_quiet(uint32_t link)
{
	ck_assert_msg(bed_peek(link) == NULL, "link %u got more", link);
}

bool bed_is_closed(uint32_t link, enum mu_close_reason reason)
{
	for (size_t i = 0; i < store.close_count; i++)
		if (store.closes[i].link == link)
			return store.closes[i].reason == reason;
	return false;
}

bool bed_is_open(uint32_t link)
{
	for (size_t i = 0; i < store.close_count; i++)
		if (store.closes[i].link == link)
			return false;
	return true;
}

void bed_link(uint32_t link)
{
	ck_assert_int_eq(mu_store_link_open(store.s, link, ORIGIN, store.now),
	                 0);
}

struct mu_store_stats bed_stats(void)
{
	struct mu_store_stats stats;

	mu_store_stats(store.s, &stats);
	return stats;
}

const char *bed_address(void)
{
	return ADDRESS;
}

void bed_lost(uint32_t link)
{
	mu_store_link_lost(store.s, link);
}

void bed_oversize(uint32_t link, const void *bytes, size_t len)
{
	bed_entropy();
	mu_store_oversize(store.s, link, bytes, len < HEAD ? len : HEAD,
	                  store.now);
	bed_pump();
}

bool bed_answers_oversize(void)
{
	return true;
}

void bed_in_pieces(size_t piece)
{
	(void)piece;
}

void bed_hold(void)
{
	store.slow = true;
}

void bed_release(void)
{
	bed_durable(store.logged);
	store.slow = false;
	bed_pump();
}

struct bed_counts bed_counts(void)
{
	const struct mu_store_stats stats = bed_stats();

	return (struct bed_counts){ .zxid = stats.zxid,
		                    .nodes = stats.nodes,
		                    .sessions = stats.sessions,
		                    .ephemerals = stats.ephemerals,
		                    .watches = stats.watches };
}

void bed_until(bool (*is)(void))
{
	const uint64_t end = store.now.mono_ms + UNTIL_MS;

	while (!is()) {
		ck_assert_uint_lt(store.now.mono_ms, end);
		bed_tick(store.config.tick_ms);
	}
}

uint64_t bed_now_ms(void)
{
	return store.now.mono_ms;
}
