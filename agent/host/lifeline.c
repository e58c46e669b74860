#include "lifeline.h"

#include "mem.h"

#include <errno.h>
#include <unistd.h>

struct mu_lifeline {
	int fd;
	struct mu_timer *timer;
};

/* A pipe that is full is full of beats. */
void mu_lifeline_say(struct mu_lifeline *l, enum mu_lifeline_word word)
{
	const char byte = (char)word;

	while (write(l->fd, &byte, 1) < 0 && errno == EINTR)
		continue;
}

static void beat(void *arg)
{
	mu_lifeline_say(arg, MU_LIFELINE_BEAT);
}

int mu_lifeline_new(struct mu_loop *loop, int fd, uint32_t every_ms,
                    struct mu_lifeline **out)
{
	struct mu_lifeline *l = mu_alloc(sizeof *l);

	if (!l)
		return MU_ENOMEM;
	l->fd = fd;
	if (mu_timer_new(loop, beat, l, &l->timer)) {
		mu_free(l);
		return MU_ENOMEM;
	}
	mu_timer_arm(l->timer, 0, every_ms);
	*out = l;
	return 0;
}

void mu_lifeline_free(struct mu_lifeline *l)
{
	if (!l)
		return;
	mu_timer_free(l->timer);
	mu_free(l);
}
