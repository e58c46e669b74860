/* fuzz_chan.c - bytes from a runner: a stream of frames with records. */
#include "fuzz.h"
#include "chan_records.h"
#include "mem.h"

static void settings_are_good(const struct mu_vec *settings)
{
	struct mu_in in = mu_in_of(settings->at, settings->len);
	struct mu_setting s;

	for (int32_t i = 0; i < settings->count; i++)
		MU_BUG_ON(mu_get_setting(&in, &s));
	MU_BUG_ON(mu_in_left(&in) != 0);
}

/* One frame, in memory of exactly its size, so that a sanitizer sees a read
 * past its end. */
static void chan_comes_back(const uint8_t *frame, size_t len)
{
	struct mu_in in = mu_in_of(frame + 4, len - 4);
	int32_t type = mu_chan_type(&in);
	const struct chan_record *row = chan_record_of(type);
	struct mu_buf again;
	union chan_any m;
	int rc;

	if (!row)
		return;
	rc = row->get(&in, &m);
	MU_BUG_ON(rc != 0 && rc != MU_EPROTO);
	if (rc || chan_is_foreign(type, &m))
		return;
	if (type == MU_CHAN_START)
		settings_are_good(&m.start.settings);
	mu_buf_init(&again);
	row->put(&again, &m);
	fuzz_same(frame, len, &again);
	mu_buf_fini(&again);
}

int FUZZ_ENTRY(const uint8_t *bytes, size_t len);

int FUZZ_ENTRY(const uint8_t *bytes, size_t len)
{
	struct mu_buf b;
	struct mu_str rec;
	uint8_t *frame;
	int rc;

	mu_buf_init(&b);
	mu_buf_put(&b, bytes, len);
	while ((rc = mu_chan_next(&b, &rec)) == 1) {
		frame = mu_alloc(rec.len + 4);
		MU_BUG_ON(!frame);
		memcpy(frame, rec.at - 4, rec.len + 4);
		chan_comes_back(frame, rec.len + 4);
		mu_free(frame);
		mu_buf_drop(&b, rec.len + 4);
	}
	MU_BUG_ON(rc != 0 && rc != MU_ETOOBIG);
	mu_buf_fini(&b);
	return 0;
}
