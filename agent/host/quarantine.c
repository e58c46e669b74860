#include "quarantine.h"

#include "mem.h"

struct mu_quarantine {
	uint64_t window_ms;
	uint32_t max;
	uint32_t count; /* of failures ever, up to max */
	uint32_t next;  /* place in the ring */
	bool on;
	uint64_t at_ms[]; /* a ring of the last max failures */
};

struct mu_quarantine *mu_quarantine_new(uint32_t failures, uint64_t window_ms)
{
	struct mu_quarantine *q;

	q = mu_alloc(sizeof *q + failures * sizeof q->at_ms[0]);
	if (!q)
		return NULL;
	q->window_ms = window_ms;
	q->max = failures;
	return q;
}

void mu_quarantine_free(struct mu_quarantine *q)
{
	mu_free(q);
}

uint32_t mu_quarantine_count(const struct mu_quarantine *q, uint64_t now_ms)
{
	uint32_t n = 0;

	if (q->on)
		return q->max;
	for (uint32_t i = 0; i < q->count; i++)
		n += now_ms - q->at_ms[i] <= q->window_ms;
	return n;
}

bool mu_quarantine_failed(struct mu_quarantine *q, uint64_t now_ms)
{
	if (q->max == 0 || q->on)
		return q->on;
	q->at_ms[q->next] = now_ms;
	q->next = (q->next + 1) % q->max;
	if (q->count < q->max)
		q->count++;
	q->on = mu_quarantine_count(q, now_ms) == q->max;
	return q->on;
}

bool mu_quarantine_is_on(const struct mu_quarantine *q)
{
	return q->on;
}

void mu_quarantine_lift(struct mu_quarantine *q)
{
	q->count = q->next = 0;
	q->on = false;
}
