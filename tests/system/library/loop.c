/* loop.c URL - what the comment at the head of muster/client.h shows, as a whole
 * program: makes /loop, reads it, prints its value. */
#include <muster/client.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static bool done;

static void fail(const char *sentence)
{
	fprintf(stderr, "loop: %s\n", sentence);
	exit(EXIT_FAILURE);
}

static void got(struct mu_client *c, const struct mu_result *r, void *arg)
{
	(void)c;
	(void)arg;
	if (r->rc)
		fail(mu_client_strerror(r->rc));
	printf("%.*s\n", (int)r->len, (const char *)r->data);
	done = true;
}

static void made(struct mu_client *c, const struct mu_result *r, void *arg)
{
	if (r->rc)
		fail(mu_client_strerror(r->rc));
	if (mu_client_get(c, r->path, false, got, arg))
		fail("cannot ask");
}

static void state(struct mu_client *c, enum mu_client_state s, int why,
                  void *arg)
{
	if (s == MU_CLIENT_EXPIRED)
		fail(mu_client_strerror(why));
	if (s == MU_CLIENT_CONNECTED &&
	    mu_client_create(c, "/loop", "hello", 5, MU_CREATE_EPHEMERAL, made,
	                     arg))
		fail("cannot ask");
}

int main(int argc, char **argv)
{
	struct mu_client_options options = {
		.size = sizeof options,
		.brokers = argc > 1 ? argv[1] : NULL,
		.on_state = state,
	};
	struct mu_err err = { 0, "" };

	struct mu_client *c;
	if (mu_client_new(&options, &c, &err))
		fail(err.msg);
	for (;;) {
		struct pollfd p = { mu_client_fd(c), POLLIN, 0 };
		poll(&p, 1, mu_client_timeout_ms(c));
		mu_client_process(c);
		if (done)
			break;
	}
	if (mu_client_close(c, 5000))
		fail("the session was not closed");
	mu_client_free(c);
	return EXIT_SUCCESS;
}
