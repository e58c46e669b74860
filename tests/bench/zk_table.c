#include "zk_table.h"

#include "measure.h"

#include <string.h>

#define ROWS_MAX 80
#define TEXT_MAX 400

static struct line {
	char text[TEXT_MAX];
	bool group;
	struct zk_row row;
} table[ROWS_MAX];
static unsigned lines;

static struct line *add(const char *text)
{
	struct line *l = &table[lines];

	if (lines++ == ROWS_MAX)
		stop("the table is full");
	snprintf(l->text, sizeof l->text, "%s", text);
	return l;
}

void zk_table_group(const char *how)
{
	add(how)->group = true;
}

void zk_table_row(const struct zk_row *row)
{
	add(row->what)->row = *row;
}

/* ---- printed ----------------------------------------------------------------------- */

static void value(char text[24], const struct zk_row *r, enum zk_side_id side)
{
	const double v = r->value[side];
	const long n = (long)(v + 0.5);

	if (r->unit == ZK_MS)
		snprintf(text, 24, v < 10 ? "%.3f ms" : "%.1f ms", v);
	else if (r->unit == ZK_MIB)
		snprintf(text, 24, "%.1f MiB", v);
	else if (n >= 1000000)
		snprintf(text, 24, "%ld,%03ld,%03ld/s", n / 1000000,
		         n / 1000 % 1000, n % 1000);
	else if (n >= 1000)
		snprintf(text, 24, "%ld,%03ld/s", n / 1000, n % 1000);
	else
		snprintf(text, 24, "%ld/s", n);
}

static double times_better(const struct zk_row *r)
{
	const double more = r->value[MUSTER], less = r->value[ZOOKEEPER];

	if (r->unit == ZK_RATE)
		return more / less;
	return less / more;
}

static const char *reached(const struct zk_row *r, bool is_durable)
{
	if (r->durable && !is_durable)
		return "not durable yet";
	if (r->target <= 0)
		return "";
	return times_better(r) >= r->target ? "yes" : "NO";
}

static void print_row(FILE *out, const struct zk_row *r, const char *what,
                      bool is_durable)
{
	char zk[24], mu[24], ratio[24], target[24] = "";

	value(zk, r, ZOOKEEPER);
	value(mu, r, MUSTER);
	snprintf(ratio, sizeof ratio, "%.2f", times_better(r));
	if (r->target > 0)
		snprintf(target, sizeof target, "%.3g", r->target);
	fprintf(out, "| %-38s | %13s | %13s | %7s | %6s | %-15s |\n", what, zk,
	        mu, ratio, target, reached(r, is_durable));
}

void zk_table_print(FILE *out, bool is_durable)
{
	fprintf(out, "\nratio: how many times faster, or smaller, Muster is\n");
	for (unsigned i = 0; i < lines; i++) {
		const struct line *l = &table[i];

		if (!l->group) {
			print_row(out, &l->row, l->text, is_durable);
			continue;
		}
		fprintf(out, "\n%s\n", l->text);
		fprintf(out, "| %-38s | %13s | %13s | %7s | %6s | %-15s |\n",
		        "what", "ZooKeeper 3.8", "Muster", "ratio", "target",
		        "reached?");
		fprintf(out, "|%.40s|%.15s|%.15s|%.9s|%.8s|%.17s|\n",
		        "----------------------------------------",
		        "----------------------------------------",
		        "----------------------------------------",
		        "----------------------------------------",
		        "----------------------------------------",
		        "----------------------------------------");
	}
	fflush(out);
}
