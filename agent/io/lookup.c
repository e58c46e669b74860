#include "lookup.h"

#include "err.h"
#include "mem.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Shared by those who wait and the thread that asks; all under the lock, but
 * for what never changes, and the answer once `answered` was seen. */
struct mu_lookup {
	struct mu_lookup *next; /* of those under way */
	unsigned users;
	bool answered;
	int rc;     /* of getaddrinfo */
	int sys_rc; /* errno, for EAI_SYSTEM */
	struct addrinfo *list;
	int event;
	char host[MU_LOOKUP_HOST_MAX], port[8];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mu_lookup *under_way;

static void free_one(struct mu_lookup *l)
{
	if (l->list)
		freeaddrinfo(l->list);
	if (l->event >= 0)
		close(l->event);
	mu_free(l);
}

static void ask(struct mu_lookup *l, int flags, struct addrinfo **list)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		                  .ai_flags = flags | AI_NUMERICSERV };

	l->rc = getaddrinfo(l->host, l->port, &hints, list);
	l->sys_rc = errno;
}

/* From here on a new question is asked anew. */
static void leave(struct mu_lookup *l)
{
	struct mu_lookup **at = &under_way;

	while (*at && *at != l)
		at = &(*at)->next;
	if (*at)
		*at = l->next;
}

static void tell(struct mu_lookup *l, struct addrinfo *list)
{
	uint64_t one = 1;

	l->list = list;
	l->answered = true;
	(void)!write(l->event, &one, sizeof one); /* an eventfd has room */
}

/* The last user frees, be it the thread. */
static void *run(void *arg)
{
	struct mu_lookup *l = arg;
	struct addrinfo *list = NULL;
	bool last;

	ask(l, 0, &list);
	pthread_mutex_lock(&lock);
	leave(l);
	tell(l, list);
	last = --l->users == 0;
	pthread_mutex_unlock(&lock);
	if (last)
		free_one(l);
	return NULL;
}

static int start_thread(struct mu_lookup *l)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	int rc = pthread_attr_init(&attr);

	if (rc)
		return rc;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&id, &attr, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

static struct mu_lookup *join(const struct mu_lookup *wanted)
{
	for (struct mu_lookup *l = under_way; l; l = l->next) {
		if (strcmp(l->host, wanted->host) != 0 ||
		    strcmp(l->port, wanted->port) != 0)
			continue;
		l->users++;
		return l;
	}
	return NULL;
}

/* Ask in a thread, or share the answer to the same question: l is then another
 * one. 0 or an errno. */
static int ask_or_join(struct mu_lookup **l)
{
	struct mu_lookup *other;
	int rc = 0;

	pthread_mutex_lock(&lock);
	other = join(*l);
	if (!other) {
		rc = start_thread(*l);
		if (!rc) {
			(*l)->users++;
			(*l)->next = under_way;
			under_way = *l;
		}
	}
	pthread_mutex_unlock(&lock);
	if (other) {
		free_one(*l);
		*l = other;
	}
	return rc;
}

int mu_lookup_start(const char *host, uint16_t port, struct mu_lookup **out,
                    struct mu_err *err)
{
	struct addrinfo *list = NULL;
	struct mu_lookup *l;
	int rc = 0;

	if (strlen(host) >= MU_LOOKUP_HOST_MAX)
		return mu_err(err, MU_EINVAL,
		              "the host name %.40s... has more than %u bytes",
		              host, MU_LOOKUP_HOST_MAX - 1);
	l = mu_alloc(sizeof *l);
	if (!l)
		return mu_err(err, MU_ENOMEM, "out of memory");
	l->users = 1;
	mu_format(l->host, sizeof l->host, "%s", host);
	mu_format(l->port, sizeof l->port, "%u", (unsigned)port);
	l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->event < 0) {
		rc = errno;
	} else {
		ask(l, AI_NUMERICHOST, &list);
		if (l->rc == 0)
			tell(l, list);
		else
			rc = ask_or_join(&l);
	}
	if (rc) {
		free_one(l);
		return mu_err(err, MU_EIO, "cannot look up the host %s: %s",
		              host, strerror(rc));
	}
	*out = l;
	return 0;
}

int mu_lookup_fd(const struct mu_lookup *l)
{
	return l->event;
}

int mu_lookup_result(struct mu_lookup *l, const struct addrinfo **out,
                     struct mu_err *err)
{
	bool answered;

	pthread_mutex_lock(&lock);
	answered = l->answered;
	pthread_mutex_unlock(&lock);
	if (!answered)
		return MU_EAGAIN;
	if (l->rc)
		return mu_err(err, MU_EIO,
		              "cannot find the address of the host %s: %s",
		              l->host,
		              l->rc == EAI_SYSTEM ? strerror(l->sys_rc)
		                                  : gai_strerror(l->rc));
	*out = l->list;
	return 0;
}

void mu_lookup_end(struct mu_lookup *l)
{
	bool last;

	if (!l)
		return;
	pthread_mutex_lock(&lock);
	last = --l->users == 0;
	pthread_mutex_unlock(&lock);
	if (last)
		free_one(l);
}
