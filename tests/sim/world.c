#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->random = seed * 0x9e3779b97f4a7c15u + 1;
	w->now_ms = 1000000;
	w->fingerprint = 0xcbf29ce484222325u;
}

void world_fini(struct world *w)
{
	free(w->events);
	w->events = NULL;
}

/* ---- chance ---- */

uint64_t world_random(struct world *w)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t world_below(struct world *w, uint32_t n)
{
	return n ? (uint32_t)(world_random(w) % n) : 0;
}

uint32_t world_between(struct world *w, uint32_t low, uint32_t high)
{
	return low + world_below(w, high - low + 1);
}

bool world_chance(struct world *w, uint32_t permille)
{
	return world_below(w, 1000) < permille;
}

/* ---- what is due ---- */

static bool is_before(const struct world_event *a, const struct world_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->turn < b->turn;
}

static void swap(struct world_event *a, struct world_event *b)
{
	struct world_event t = *a;

	*a = *b;
	*b = t;
}

void world_at(struct world *w, uint64_t at_ms, world_fn *fn, void *arg,
              uint32_t a, uint32_t b)
{
	size_t i = w->count++;

	if (w->count > w->room) {
		w->room = w->room ? w->room * 2 : 256;
		w->events = realloc(w->events, w->room * sizeof *w->events);
		if (!w->events)
			abort();
	}
	w->events[i] = (struct world_event){ .at_ms = at_ms,
		                             .turn = ++w->turn,
		                             .fn = fn,
		                             .arg = arg,
		                             .a = a,
		                             .b = b };
	if (at_ms < w->now_ms)
		w->events[i].at_ms = w->now_ms;
	for (; i && is_before(&w->events[i], &w->events[(i - 1) / 2]);
	     i = (i - 1) / 2)
		swap(&w->events[i], &w->events[(i - 1) / 2]);
}

static void sink(struct world *w)
{
	size_t i = 0;

	for (;;) {
		size_t least = i, left = 2 * i + 1, right = 2 * i + 2;

		if (left < w->count &&
		    is_before(&w->events[left], &w->events[least]))
			least = left;
		if (right < w->count &&
		    is_before(&w->events[right], &w->events[least]))
			least = right;
		if (least == i)
			return;
		swap(&w->events[i], &w->events[least]);
		i = least;
	}
}

bool world_step(struct world *w, uint64_t until_ms)
{
	struct world_event next;

	if (w->count == 0 || w->events[0].at_ms > until_ms) {
		w->now_ms = until_ms;
		return false;
	}
	next = w->events[0];
	w->events[0] = w->events[--w->count];
	sink(w);
	w->now_ms = next.at_ms;
	w->steps++;
	next.fn(next.arg, next.a, next.b);
	return true;
}

/* ---- what was seen ---- */

void world_trace(struct world *w, const char *fmt, ...)
{
	char *line = w->trace[w->traced++ % WORLD_TRACE_LINES];
	int at = snprintf(line, WORLD_TRACE_LEN, "%9.3f ",
	                  (double)w->now_ms / 1000);
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + at, WORLD_TRACE_LEN - (size_t)at, fmt, args);
	va_end(args);
	for (const char *p = line; *p; p++)
		w->fingerprint =
			(w->fingerprint ^ (uint8_t)*p) * 0x100000001b3u;
	if (getenv("SIM_TRACE"))
		fprintf(stderr, "%s\n", line);
}

void world_fail(struct world *w, const char *fmt, ...)
{
	va_list args;

	if (world_has_failed(w))
		return;
	va_start(args, fmt);
	vsnprintf(w->failure, sizeof w->failure, fmt, args);
	va_end(args);
}

bool world_has_failed(const struct world *w)
{
	return w->failure[0] != '\0';
}

void world_dump(const struct world *w, FILE *to)
{
	uint64_t from = w->traced > WORLD_TRACE_LINES
	                        ? w->traced - WORLD_TRACE_LINES
	                        : 0;

	fprintf(to, "seed %" PRIu64 ", step %" PRIu64 ", at %.3f s: %s\n",
	        w->seed, w->steps, (double)w->now_ms / 1000,
	        world_has_failed(w) ? w->failure : "stopped");
	for (uint64_t i = from; i < w->traced; i++)
		fprintf(to, "  %s\n", w->trace[i % WORLD_TRACE_LINES]);
	fflush(to);
}
