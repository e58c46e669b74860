/*
 * fuzz_proto.c - bytes from a peer, as every record of the protocol.
 *
 * The first byte chooses the record; one more than the last record chooses a
 * carrier's message of frames.
 */
#include "fuzz.h"
#include "proto_records.h"

static void message_is_split(const uint8_t *bytes, size_t len)
{
	struct mu_in in = mu_in_of(bytes, len);
	const uint8_t *end = bytes;
	struct mu_str rec;
	int rc;

	while ((rc = mu_frame_next(&in, &rec)) == 1) {
		MU_BUG_ON((const uint8_t *)rec.at != end + 4);
		end += 4 + rec.len;
	}
	MU_BUG_ON(rc == 0 && end != bytes + len);
	MU_BUG_ON(rc != 0 && rc != MU_EPROTO);
}

static void proto_comes_back(const struct proto_record *row,
                             const uint8_t *bytes, size_t len)
{
	struct mu_in in = mu_in_of(bytes, len);
	union proto_any r;
	struct mu_buf again;
	int rc = row->get(&in, &r);

	MU_BUG_ON(rc != 0 && rc != MU_EMARSHAL);
	MU_BUG_ON((rc == 0) != mu_in_ok(&in));
	if (rc)
		return;
	mu_buf_init(&again);
	row->put(&again, &r);
	fuzz_same(bytes, len - mu_in_left(&in), &again);
	mu_buf_fini(&again);
}

int FUZZ_ENTRY(const uint8_t *bytes, size_t len);

int FUZZ_ENTRY(const uint8_t *bytes, size_t len)
{
	unsigned which;

	if (len == 0)
		return 0;
	which = bytes[0] % (RECORD_COUNT + 1);
	if (which == RECORD_COUNT)
		message_is_split(bytes + 1, len - 1);
	else
		proto_comes_back(&proto_records[which], bytes + 1, len - 1);
	return 0;
}
