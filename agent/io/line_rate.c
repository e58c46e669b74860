#include "line_rate.h"

#define SECOND_MS 1000u

bool mu_line_rate_take(struct mu_line_rate *r, uint64_t now_ms)
{
	if (now_ms - r->second_ms >= SECOND_MS) {
		r->second_ms = now_ms;
		r->lines = 0;
	}
	if (r->lines >= r->max) {
		r->unsaid++;
		return false;
	}
	r->lines++;
	return true;
}
