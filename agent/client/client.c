#include "client_impl.h"

#include "bug.h"
#include "clock.h"
#include "err.h"
#include "mem.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

const char *mu_client_version(void)
{
	return MU_VERSION;
}

const char *mu_client_strerror(int status)
{
	return mu_err_text(status);
}

const char *mu_client_cause_word(int32_t cause)
{
	return mu_cause_word(cause);
}

/* ---- made ---- */

static int open_fds(struct mu_client *c, struct mu_err *err)
{
	struct epoll_event e = { .events = EPOLLIN };

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->epoll >= 0 && c->wake >= 0 &&
	    epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->wake, &e) == 0)
		return 0;
	return mu_err(err, MU_EIO, "cannot make a descriptor to wait on: %s",
	              strerror(errno));
}

static int make_link(struct mu_client *c, struct mu_err *err)
{
	const struct mu_client_options *o = &c->options;
	struct mu_link_config config = {
		.timeout_ms = o->timeout_ms ? o->timeout_ms
		                            : MU_CLIENT_TIMEOUT_DEFAULT_MS,
		.hosts = c->brokers.count,
		.session = o->session,
		.last_zxid = o->last_zxid,
	};

	memcpy(config.password, o->password, sizeof config.password);
	mu_clock_random(&config.seed, sizeof config.seed);
	if (mu_link_new(&config, mu_clock_mono_ms(), &c->link))
		return mu_err(err, MU_ENOMEM, "out of memory");
	return 0;
}

/* Each handle has an order of its own, so that not all clients go to one broker
 * first, nor from a lost one all to the same next. */
static void shuffle(struct mu_client *c)
{
	for (uint32_t i = 0; i < c->brokers.count; i++) {
		uint32_t at;

		mu_clock_random(&at, sizeof at);
		at %= i + 1;
		c->order[i] = c->order[at];
		c->order[at] = i;
	}
}

static int client_init(struct mu_client *c, struct mu_err *err)
{
	int rc = mu_url_parse(c->options.brokers, &c->brokers, err);

	if (rc)
		return rc;
	c->options.brokers = NULL; /* the caller's, and not needed any more */
	shuffle(c);
	c->why = mu_alloc(c->brokers.count * sizeof *c->why);
	if (!c->why)
		return mu_err(err, MU_ENOMEM, "out of memory");
	rc = open_fds(c, err);
	return rc ? rc : make_link(c, err);
}

/* Structs that callers of before a field was added may hand in: on_change. */
#define OPTIONS_WITHOUT_CHANGES offsetof(struct mu_client_options, on_change)
_Static_assert(OPTIONS_WITHOUT_CHANGES % _Alignof(struct mu_client_options) ==
                       0,
               "the old struct ended where the new field begins");

static size_t options_known(const struct mu_client_options *options)
{
	if (options->size >= sizeof *options)
		return sizeof *options;
	return options->size == OPTIONS_WITHOUT_CHANGES ? options->size : 0;
}

int mu_client_new(const struct mu_client_options *options,
                  struct mu_client **out, struct mu_err *err)
{
	const size_t known = options_known(options);
	struct mu_client *c;
	int rc;

	if (!known)
		return mu_err(
			err, MU_EINVAL,
			"options.size is %u, this library's is %zu: set it "
			"to sizeof(struct mu_client_options)",
			options->size, sizeof *options);
	if (!options->brokers || !options->brokers[0])
		return mu_err(err, MU_EINVAL,
		              "no brokers are given: write tcp://HOST:PORT or "
		              "zookeeper://HOST:PORT");
	c = mu_alloc(sizeof *c);
	if (!c)
		return mu_err(err, MU_ENOMEM, "out of memory");
	memcpy(&c->options, options, known);
	c->epoll = c->wake = -1;
	c->calls.prev = c->calls.next = &c->calls;
	c->work = true;
	rc = client_init(c, err);
	if (rc)
		mu_client_free(c);
	else
		*out = c;
	return rc;
}

void mu_client_free(struct mu_client *c)
{
	if (!c)
		return;
	MU_BUG_ON(c->depth); /* from inside a callback of its own */
	mu_client_drop_carrier(c);
	mu_link_free(c->link);
	mu_calls_drop(c);
	mu_url_list_fini(&c->brokers);
	mu_free(c->why);
	mu_buf_fini(&c->path);
	mu_buf_fini(&c->body);
	if (c->wake >= 0)
		close(c->wake);
	if (c->epoll >= 0)
		close(c->epoll);
	mu_free(c);
}

/* ---- closed ---- */

static bool is_over(const struct mu_client *c)
{
	return c->state == MU_CLIENT_EXPIRED || c->state == MU_CLIENT_CLOSED;
}

int mu_client_close(struct mu_client *c, uint32_t timeout_ms)
{
	uint64_t until = mu_clock_mono_ms() + timeout_ms;
	bool late = false;

	mu_link_close(c->link, mu_clock_mono_ms());
	mu_client_poke(c);
	mu_client_process(c);
	while (!is_over(c) && !late) {
		mu_client_pause(c, until);
		mu_client_process(c);
		late = mu_clock_mono_ms() >= until;
	}
	if (!is_over(c) && c->driver)
		mu_link_on_lost(c->link, mu_clock_mono_ms());
	else
		late = false;
	while (!is_over(c))
		mu_client_process(c);
	if (late)
		return MU_ETIMEDOUT;
	if (c->state == MU_CLIENT_EXPIRED)
		return MU_EEXPIRED;
	return c->end ? MU_ECONNLOSS : 0;
}

/* ---- asked about ---- */

int mu_client_fd(const struct mu_client *c)
{
	return c->epoll;
}

static void fill_info(const struct mu_client *c, struct mu_client_info *out)
{
	struct mu_link_info l;

	mu_link_info(c->link, &l);
	*out = (struct mu_client_info){
		.state = c->state,
		.timeout_ms = l.timeout_ms,
		.session = l.session,
		.last_zxid = l.last_zxid,
		.features = l.features,
		.tree_id = l.tree_id,
		.resumed = l.resumed,
	};
	memcpy(out->password, l.password, sizeof out->password);
	if (c->driver)
		mu_format(out->broker, sizeof out->broker, "%s",
		          c->brokers.url[c->host]);
}

/* The caller may know less of the struct than we do, or more. */
void mu_client_info(const struct mu_client *c, struct mu_client_info *info)
{
	struct mu_client_info all;
	size_t size = info->size;

	fill_info(c, &all);
	if (size > sizeof all) {
		memset((char *)info + sizeof all, 0, size - sizeof all);
		size = sizeof all;
	}
	all.size = (uint32_t)size;
	memcpy(info, &all, size);
}
