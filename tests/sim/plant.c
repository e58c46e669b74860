#include "plant.h"

#include "sim.h"

#include <string.h>

#define RECORDS_MAX 256u
#define ZXID_AT 8u /* in a framed reply: behind length and xid */
#define DEAF_AFTER_MS 2000u

struct record {
	size_t from, len; /* with its frame's length */
	int32_t xid;
};

static size_t split(const uint8_t *bytes, size_t len, struct record *r)
{
	struct mu_in in = mu_in_of(bytes, len);
	struct mu_str rec;
	size_t n = 0;

	while (n < RECORDS_MAX && mu_frame_next(&in, &rec) > 0) {
		struct mu_in one = mu_in_of(rec.at, rec.len);

		r[n].from = (size_t)((const uint8_t *)rec.at - bytes) - 4;
		r[n].len = rec.len + 4;
		r[n].xid = mu_get_int(&one);
		n++;
	}
	return n;
}

/* Two neighbours change places. */
static void swap(uint8_t *bytes, const struct record *a, const struct record *b)
{
	uint8_t copy[65536];

	if (a->len > sizeof copy)
		return;
	memcpy(copy, bytes + a->from, a->len);
	memmove(bytes + a->from, bytes + b->from, b->len);
	memcpy(bytes + a->from + b->len, copy, a->len);
}

static void spoil_event(enum sim_plant plant, uint8_t *bytes, size_t *len,
                        size_t room, const struct record *r)
{
	size_t after = r->from + r->len;

	if (plant == SIM_PLANT_DROP_EVENT || plant == SIM_PLANT_DROP_CHANGE) {
		memmove(bytes + r->from, bytes + after, *len - after);
		*len -= r->len;
	} else if (*len + r->len <= room) {
		memmove(bytes + after, bytes + r->from, *len - r->from);
		*len += r->len;
	}
}

/* The first record, or pair of records, that the plant is about. */
static bool spoil(enum sim_plant plant, uint8_t *bytes, size_t *len,
                  size_t room, const struct record *r, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool event = r[i].xid == MU_XID_NOTIFICATION;
		bool change = r[i].xid == MU_XID_CHANGE;
		bool reply_next = i + 1 < count && r[i + 1].xid > 0;

		if ((event && (plant == SIM_PLANT_DROP_EVENT ||
		               plant == SIM_PLANT_DOUBLE_EVENT)) ||
		    (change && (plant == SIM_PLANT_DROP_CHANGE ||
		                plant == SIM_PLANT_DOUBLE_CHANGE))) {
			spoil_event(plant, bytes, len, room, &r[i]);
			return true;
		}
		if (change && plant == SIM_PLANT_SPOIL_CHANGE) {
			bytes[r[i].from + r[i].len - 1]++;
			return true;
		}
		if ((event && reply_next && plant == SIM_PLANT_REPLY_FIRST) ||
		    (r[i].xid > 0 && reply_next &&
		     plant == SIM_PLANT_SWAP_REPLIES)) {
			swap(bytes, &r[i], &r[i + 1]);
			return true;
		}
		if (r[i].xid > 0 && plant == SIM_PLANT_STALE_READ) {
			bytes[r[i].from + ZXID_AT + 7]++;
			return true;
		}
	}
	return false;
}

void plant_message(struct sim *s, uint8_t *bytes, size_t *len, size_t room)
{
	struct record records[RECORDS_MAX];
	size_t count;

	if (s->knobs.plant == SIM_PLANT_NONE || !world_chance(&s->world, 50))
		return;
	count = split(bytes, *len, records);
	if (spoil(s->knobs.plant, bytes, len, room, records, count))
		world_trace(&s->world, "PLANTED a mistake");
}

bool plant_deafens(const struct sim *s, uint32_t client)
{
	return s->knobs.plant == SIM_PLANT_DROP_PINGS && client == 0 &&
	       s->world.now_ms % 10000 > DEAF_AFTER_MS;
}
