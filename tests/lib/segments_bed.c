#include "segments_bed.h"

#include "logrec.h"

#include <check.h>
#include <string.h>

void bed_init(struct segments_bed *b)
{
	memset(b, 0, sizeof *b);
	b->disk = fake_disk_new();
	b->config.segment_bytes = MU_SEGMENT_BYTES_MIN;
	b->config.tree_id = 42;
}

void bed_fini(struct segments_bed *b)
{
	bed_close(b);
	b->disk->free(b->disk);
}

size_t bed_command(uint64_t index, uint32_t generation, uint8_t out[512])
{
	const size_t len = 12 + index * 37 % 300;

	memset(out, (int)(index * 7 + generation), len);
	memcpy(out, &index, 8);
	memcpy(out + 8, &generation, 4);
	return len;
}

static int on_command(void *arg, uint64_t index, const void *bytes, size_t len,
                      struct mu_err *err)
{
	struct segments_bed *b = arg;
	uint8_t want[512];
	uint32_t generation;

	(void)err;
	ck_assert_uint_eq(index, b->last + 1);
	ck_assert_uint_lt(index, BED_INDEXES);
	ck_assert_uint_ge(len, 12);
	memcpy(&generation, (const uint8_t *)bytes + 8, 4);
	ck_assert_uint_eq(bed_command(index, generation, want), len);
	ck_assert_mem_eq(bytes, want, len);
	b->found[index] = generation;
	b->last = index;
	b->replayed++;
	return 0;
}

int bed_open(struct segments_bed *b, uint64_t after)
{
	int rc;

	b->replayed = 0;
	b->last = after;
	rc = mu_segments_open(b->disk, &b->config, &b->s, &b->err);
	if (rc == 0)
		rc = mu_segments_replay(b->s, after, on_command, b, &b->err);
	if (rc == 0)
		ck_assert_uint_eq(mu_segments_durable(b->s), b->last);
	return rc;
}

void bed_close(struct segments_bed *b)
{
	mu_segments_free(b->s);
	b->s = NULL;
}

int bed_write(struct segments_bed *b, unsigned count)
{
	const uint64_t first = mu_segments_durable(b->s) + 1;
	struct mu_buf records = { 0 };
	uint8_t bytes[512];
	int rc;

	b->generation++;
	for (uint64_t i = first; i < first + count; i++) {
		const size_t len = bed_command(i, b->generation, bytes);

		ck_assert_int_eq(mu_log_put(&records, 1, i, bytes, len), 0);
		b->wrote[i] = b->generation;
	}
	if (first + count - 1 > b->attempted)
		b->attempted = first + count - 1;
	rc = mu_segments_write(b->s, records.data, records.len, &b->err);
	mu_buf_fini(&records);
	b->durable = mu_segments_durable(b->s);
	if (rc == 0)
		ck_assert_uint_eq(b->durable, first + count - 1);
	return rc;
}
