#include "logrec.h"

#include "bug.h"
#include "crc.h"
#include "err.h"

#include <string.h>

#define MAGIC "MUJOURNL"
#define STEP 8u /* records begin at multiples of this */

/* ---- numbers ------------------------------------------------------------------ */

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool zeros(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* ---- the head of a segment ------------------------------------------------------ */

void mu_log_head_encode(uint8_t out[MU_LOG_HEAD], struct mu_log_head *h)
{
	memset(out, 0, MU_LOG_HEAD);
	memcpy(out, MAGIC, 8);
	put32(out + 8, MU_LOG_VERSION);
	put32(out + 12, MU_LOG_HEAD);
	put64(out + 16, (uint64_t)h->tree_id);
	put64(out + 24, h->first);
	put32(out + 32, h->term);
	h->crc = mu_crc32c(0, out, MU_LOG_HEAD - 4);
	put32(out + MU_LOG_HEAD - 4, h->crc);
}

int mu_log_head_decode(const uint8_t in[MU_LOG_HEAD], struct mu_log_head *h,
                       struct mu_err *err)
{
	const uint32_t crc = get32(in + MU_LOG_HEAD - 4);

	if (memcmp(in, MAGIC, 8) != 0)
		return mu_err(err, MU_EDATA,
		              "does not begin like a segment of a journal");
	/* Before the checksum, which a newer version may have elsewhere. */
	if (get32(in + 8) > MU_LOG_VERSION)
		return mu_err(err, MU_EABI,
		              "was written by a newer muster-broker (format "
		              "%lu, this one knows %u): install that version",
		              (unsigned long)get32(in + 8), MU_LOG_VERSION);
	if (mu_crc32c(0, in, MU_LOG_HEAD - 4) != crc ||
	    get32(in + 8) != MU_LOG_VERSION || get32(in + 12) != MU_LOG_HEAD ||
	    get64(in + 24) == 0)
		return mu_err(err, MU_EDATA, "has a damaged head");
	h->tree_id = (int64_t)get64(in + 16);
	h->first = get64(in + 24);
	h->term = get32(in + 32);
	h->crc = crc;
	return 0;
}

/* ---- making records ---------------------------------------------------------------- */

size_t mu_log_size(size_t len)
{
	return MU_LOG_RECORD + (len + STEP - 1) / STEP * STEP;
}

int mu_log_put(struct mu_buf *b, uint32_t term, uint64_t index, const void *p,
               size_t len)
{
	uint8_t *at;

	if (len > MU_LOG_BYTES_MAX)
		return MU_ETOOBIG;
	if (mu_buf_reserve(b, mu_log_size(len))) {
		b->failed = false; /* what was put before is whole */
		return MU_ENOMEM;
	}
	at = mu_buf_grow(b, mu_log_size(len));
	memset(at, 0, MU_LOG_RECORD);
	put32(at, (uint32_t)len);
	put32(at + 8, term);
	put64(at + 16, index);
	if (len > 0)
		memcpy(at + MU_LOG_RECORD, p, len);
	memset(at + MU_LOG_RECORD + len, 0,
	       mu_log_size(len) - MU_LOG_RECORD - len);
	return 0;
}

void mu_log_mark(uint8_t out[MU_LOG_RECORD], uint32_t term, uint64_t index,
                 uint32_t seed)
{
	memset(out, 0, MU_LOG_RECORD);
	put32(out + 8, term);
	put64(out + 16, index);
	mu_log_seal(out, MU_LOG_RECORD, seed, index);
}

size_t mu_log_fit(const uint8_t *records, size_t len, uint64_t room,
                  uint64_t *count)
{
	size_t fit = 0;

	*count = 0;
	while (fit < len) {
		const size_t size = mu_log_size(get32(records + fit));

		if (size > room - fit)
			break;
		fit += size;
		++*count;
	}
	return fit;
}

uint64_t mu_log_first(const uint8_t *records, size_t *size)
{
	*size = mu_log_size(get32(records));
	return get64(records + 16);
}

static uint32_t check_of(const uint8_t *record, uint32_t seed)
{
	uint8_t fields[24];

	memcpy(fields, record, 4);
	memcpy(fields + 4, record + 8, 4);
	memcpy(fields + 8, record + 16, 16);
	return mu_crc32c(seed, fields, sizeof fields);
}

static uint32_t crc_of(const uint8_t *record, uint32_t check)
{
	return mu_crc32c(check, record + MU_LOG_RECORD,
	                 mu_log_size(get32(record)) - MU_LOG_RECORD);
}

void mu_log_seal(uint8_t *records, size_t len, uint32_t seed, uint64_t durable)
{
	for (size_t at = 0; at < len;) {
		uint8_t *r = records + at;
		uint32_t check;

		put64(r + 24, durable);
		check = check_of(r, seed);
		put32(r + 12, check);
		put32(r + 4, crc_of(r, check));
		at += mu_log_size(get32(r));
	}
}

/* ---- reading a segment ---------------------------------------------------------------- */

void mu_log_scan(struct mu_log_scan *s, const struct mu_log_head *h,
                 const void *bytes, size_t len)
{
	MU_BUG_ON(len < MU_LOG_HEAD);
	*s = (struct mu_log_scan){
		.bytes = bytes,
		.len = len,
		.seed = h->crc,
		.at = MU_LOG_HEAD,
		.end = MU_LOG_HEAD,
		.next = h->first,
	};
}

/* Is there the front of a record of this segment? */
static bool front_at(const struct mu_log_scan *s, size_t at)
{
	const uint8_t *r = s->bytes + at;

	return s->len - at >= MU_LOG_RECORD && !zeros(r, MU_LOG_RECORD) &&
	       check_of(r, s->seed) == get32(r + 12);
}

/* Of a record whose front is good: is the rest? */
static bool rest_at(const struct mu_log_scan *s, size_t at)
{
	const uint8_t *r = s->bytes + at;

	return mu_log_size(get32(r)) <= s->len - at &&
	       crc_of(r, get32(r + 12)) == get32(r + 4);
}

/* What is wrong with the record at s->at; NULL: nothing. */
static const char *wrong(const struct mu_log_scan *s, bool *mark)
{
	const uint8_t *r = s->bytes + s->at;
	uint64_t index;

	if (s->len - s->at < MU_LOG_RECORD)
		return "it is cut short";
	if (zeros(r, MU_LOG_RECORD))
		return "there are zeros in its place";
	if (!front_at(s, s->at))
		return "its head does not match its checksum";
	if (mu_log_size(get32(r)) > s->len - s->at)
		return "it is cut short";
	if (!rest_at(s, s->at))
		return "its bytes do not match their checksum";
	index = get64(r + 16);
	*mark = get32(r) == 0 && index == s->next - 1;
	if (!*mark && index != s->next)
		return "its index is not the next one";
	return NULL;
}

/* What do the records say that lie behind the wrong one? A front is proof even
 * where its own bytes were torn. */
static enum mu_log_found doubt(struct mu_log_scan *s)
{
	uint64_t last = s->next - 1;
	size_t at = s->at + STEP;

	s->proof = s->after = 0;
	while (at < s->len && s->len - at >= MU_LOG_RECORD) {
		const uint8_t *r = s->bytes + at;

		if (!front_at(s, at)) {
			at += STEP;
			continue;
		}
		if (get64(r + 24) > s->proof)
			s->proof = get64(r + 24);
		if (!rest_at(s, at)) {
			at += MU_LOG_RECORD;
			continue;
		}
		if (get64(r + 16) > last) {
			last = get64(r + 16);
			s->after++;
		}
		at += mu_log_size(get32(r));
	}
	s->last = s->after > 0 ? last : 0;
	return s->proof >= s->next ? MU_LOG_BAD : MU_LOG_TORN;
}

enum mu_log_found mu_log_next(struct mu_log_scan *s, struct mu_log_record *out)
{
	const uint8_t *r;
	bool mark;

	do {
		r = s->bytes + s->at;
		mark = false;
		s->why = wrong(s, &mark);
		if (s->why && zeros(r, s->len - s->at)) {
			s->why = NULL;
			return MU_LOG_END;
		}
		if (s->why)
			return doubt(s);
		s->at += mu_log_size(get32(r));
		if (get64(r + 24) > s->durable)
			s->durable = get64(r + 24);
	} while (mark);
	*out = (struct mu_log_record){
		.term = get32(r + 8),
		.index = s->next++,
		.durable = get64(r + 24),
		.bytes = r + MU_LOG_RECORD,
		.len = get32(r),
	};
	s->end = s->at;
	return MU_LOG_RECORD_FOUND;
}
