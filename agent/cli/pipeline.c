#include "pipeline.h"

#include "cli.h"

#include "tty.h"

#define REQUESTS_MAX 200u /* under the limit of requests without an answer */
#define BYTES_MAX (4u << 20)
#define SHOWN_FROM 1000u /* requests; less is over before it is read */
#define SHOWN_EACH 256u

struct running {
	const struct pipeline *p;
	size_t asked, answered, bytes; /* of those under way */
	bool tell;
	int rc;
};

static size_t bytes_of(const struct pipeline *p, size_t i)
{
	return p->bytes ? p->bytes(i, p->arg) : 0;
}

static void tell(const struct running *g)
{
	if (g->tell &&
	    (g->answered % SHOWN_EACH == 0 || g->answered == g->p->count))
		fprintf(stderr, "\r%s: %zu of %zu", g->p->doing, g->answered,
		        g->p->count);
}

static void answered(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct running *g = arg;
	const struct pipeline *p = g->p;
	size_t i = g->answered++;
	int rc = p->answer(i, r, p->arg);

	(void)c;
	g->bytes -= bytes_of(p, i);
	if (g->rc == 0)
		g->rc = rc;
	tell(g);
}

/* Always room for one, however large it is. */
static bool has_room(const struct running *g)
{
	size_t under_way = g->asked - g->answered;

	return g->rc == 0 && g->asked < g->p->count &&
	       (under_way == 0 ||
	        (under_way < REQUESTS_MAX && g->bytes < BYTES_MAX));
}

static void ask_more(struct cli *cli, struct running *g)
{
	const struct pipeline *p = g->p;
	int rc;

	while (has_room(g)) {
		rc = p->ask(cli, g->asked, p->arg, answered, g);
		if (rc) {
			g->rc = rc;
			return;
		}
		g->bytes += bytes_of(p, g->asked++);
	}
}

int pipeline_run(struct cli *cli, const struct pipeline *p)
{
	struct running g = { .p = p };
	struct cli_progress progress = { 0, 0 };
	int rc = 0;

	g.tell = p->doing && p->count >= SHOWN_FROM && mu_tty_is(2);
	ask_more(cli, &g);
	while (rc == 0 && g.answered < g.asked) {
		rc = cli_turn(cli, &progress, g.answered);
		ask_more(cli, &g);
	}
	if (g.tell)
		fputc('\n', stderr);
	if (g.answered < g.asked) {
		/* Answers that are still out must not find this gone. */
		mu_client_free(cli->client);
		cli->client = NULL;
	}
	return g.rc ? g.rc : rc;
}
