#include "member.h"

#include "err.h"

#include <string.h>

enum mu_claim mu_member_claim(const struct mu_claim_case *c)
{
	if (c->owner != 0 && c->owner == c->session)
		return MU_CLAIM_OURS;
	if (!c->held && c->found_id && *c->found_id &&
	    strcmp(c->found_id, c->own_id) == 0)
		return MU_CLAIM_GHOST;
	return MU_CLAIM_TAKEN;
}

bool mu_member_end_is_open(const struct mu_member *last)
{
	return strcmp(last->state, MU_MEMBER_LEAVING) != 0;
}

enum mu_event_type mu_member_end(const struct mu_member *last,
                                 struct mu_str left)
{
	char czxid[24];
	size_t len;

	if (!mu_member_end_is_open(last))
		return MU_EVENT_MEMBER_LEFT;
	len = mu_format(czxid, sizeof czxid, "%lld", (long long)last->czxid);
	if (left.at && left.len == len && memcmp(left.at, czxid, len) == 0)
		return MU_EVENT_MEMBER_LEFT;
	return MU_EVENT_MEMBER_FAILED;
}

static bool is_ordinary(const char *state)
{
	return strcmp(state, MU_MEMBER_UP) == 0 ||
	       strcmp(state, MU_MEMBER_LEAVING) == 0;
}

bool mu_member_differs(const struct mu_member *a, const struct mu_member *b)
{
	if (strcmp(a->id, b->id) != 0 || strcmp(a->address, b->address) != 0 ||
	    a->port != b->port || strcmp(a->version, b->version) != 0 ||
	    strcmp(a->labels, b->labels) != 0)
		return true;
	if (is_ordinary(a->state) && is_ordinary(b->state))
		return false;
	return strcmp(a->state, b->state) != 0;
}
