#include "url.h"

#include "err.h"
#include "mem.h"
#include "path.h"

#include <string.h>

#define SCHEME_END "://"

/* One list being parsed: the text with its commas cut. */
struct parse {
	struct mu_url_list list;
	const struct scheme *scheme; /* of the item before; NULL: none yet */
	char *text;
	const char *chroot; /* without its first '/'; NULL: none seen */
	struct mu_err *err;
};

static int add_host(struct parse *p, char *rest, bool last);
static int add_ipc(struct parse *p, char *rest, bool last);

static const struct scheme {
	const char *name;
	const char *port; /* where none is written; NULL: there are none */
	bool zookeeper;   /* the others lead to one and the same broker */
	int (*add)(struct parse *p, char *rest, bool last);
} schemes[] = {
	{ "tcp", MU_URL_PORT, false, add_host },
	{ "ipc", NULL, false, add_ipc },
	{ "zookeeper", MU_URL_ZOOKEEPER_PORT, true, add_host },
};

static int add(struct parse *p, const char *scheme, const char *host,
               const char *port)
{
	char *url = p->list.url[p->list.count];
	size_t len = strlen(scheme) + 3 + strlen(host) + 1 + strlen(port);

	if (len >= MU_URL_MAX)
		return mu_err(p->err, MU_EINVAL,
		              "a broker's URL has %zu bytes; the limit is %u",
		              len, MU_URL_MAX - 1);
	mu_format(url, MU_URL_MAX, "%s%s%s%s%s", scheme, SCHEME_END, host,
	          port[0] ? ":" : "", port);
	p->list.count++;
	return 0;
}

static bool port_is_good(const char *port)
{
	unsigned v = 0;

	if (!port[0] || strlen(port) > 5)
		return false;
	for (; *port; port++) {
		if (*port < '0' || *port > '9')
			return false;
		v = v * 10 + (unsigned)(*port - '0');
	}
	return v >= 1 && v <= 65535;
}

static bool host_is_good(const char *host, size_t len)
{
	bool v6 = len > 2 && host[0] == '[' && host[len - 1] == ']';

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f)
			return false;
		if (!v6 && strchr("[]:@;*", host[i]))
			return false;
	}
	return true;
}

/* host, host:port, [v6], [v6]:port; the last one may have /chroot behind. */
static int add_host(struct parse *p, char *rest, bool last)
{
	const char *scheme = p->scheme->name, *port = p->scheme->port;
	char *slash = strchr(rest, '/');
	char *closed, *colon;

	if (slash && (!last || p->chroot))
		return mu_err(
			p->err, MU_EINVAL,
			"there is a path behind \"%s\": write one chroot, "
			"behind the last broker",
			rest);
	if (slash) {
		*slash = '\0';
		p->chroot = slash + 1;
	}
	closed = strrchr(rest, ']');
	colon = strrchr(closed ? closed : rest, ':');
	if (colon) {
		*colon = '\0';
		port = colon + 1;
	}
	if (!host_is_good(rest, strlen(rest)))
		return mu_err(p->err, MU_EINVAL,
		              "\"%s\" is not a host: write %s://HOST:PORT, an "
		              "IPv6 address in brackets",
		              rest, scheme);
	if (!port_is_good(port))
		return mu_err(p->err, MU_EINVAL,
		              "\"%s\" is not a port: write a number from 1 to "
		              "65535 behind %s://%s:",
		              port, scheme, rest);
	return add(p, scheme, rest, port);
}

static int add_ipc(struct parse *p, char *rest, bool last)
{
	(void)last;
	if (rest[0] != '/')
		return mu_err(p->err, MU_EINVAL,
		              "\"ipc://%s\" has no absolute path: write "
		              "ipc:///run/muster/broker.sock",
		              rest);
	if (strlen(rest) > MU_URL_IPC_MAX)
		return mu_err(p->err, MU_EINVAL,
		              "the path of ipc://%.40s... has %zu bytes; the "
		              "system takes %u",
		              rest, strlen(rest), MU_URL_IPC_MAX);
	return add(p, "ipc", rest, "");
}

static const struct scheme *scheme_find(const char *item, size_t len)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (strlen(schemes[i].name) == len &&
		    memcmp(schemes[i].name, item, len) == 0)
			return &schemes[i];
	return NULL;
}

static int add_item(struct parse *p, char *item, bool last)
{
	const char *whole = item;
	char *end = strstr(item, SCHEME_END);
	const struct scheme *before = p->scheme;

	if (p->list.count == MU_URL_COUNT_MAX)
		return mu_err(p->err, MU_EINVAL,
		              "there are more than %u brokers in the list",
		              MU_URL_COUNT_MAX);
	if (end) {
		p->scheme = scheme_find(item, (size_t)(end - item));
		item = end + strlen(SCHEME_END);
	} else if (p->scheme && !p->scheme->port) {
		p->scheme = NULL;
	}
	if (!p->scheme)
		return mu_err(
			p->err, MU_EINVAL,
			"\"%s\" in the list of brokers does not begin with "
			"tcp://, ipc:// or zookeeper://",
			whole);
	if (before && before->zookeeper != p->scheme->zookeeper)
		return mu_err(
			p->err, MU_EINVAL,
			"the list of brokers mixes %s:// and %s://, which "
			"hold two different trees: write one kind",
			before->name, p->scheme->name);
	return p->scheme->add(p, item, last);
}

static int add_all(struct parse *p)
{
	char *item = p->text;

	for (;;) {
		char *comma = strchr(item, ',');
		int rc;

		if (comma)
			*comma = '\0';
		if (!*item)
			return mu_err(p->err, MU_EINVAL,
			              "the list of brokers has an empty place: "
			              "write tcp://HOST:PORT");
		rc = add_item(p, item, !comma);
		if (rc || !comma)
			return rc;
		item = comma + 1;
	}
}

static int keep_chroot(struct parse *p)
{
	const char *chroot = p->chroot ? p->chroot : "";
	size_t room = strlen(chroot) + 2;
	struct mu_err why;

	p->list.chroot = mu_alloc(room);
	if (!p->list.chroot)
		return mu_err(p->err, MU_ENOMEM, "out of memory");
	if (!chroot[0])
		return 0;
	mu_format(p->list.chroot, room, "/%s", chroot);
	if (mu_path_check(mu_str_of(p->list.chroot), &why))
		return mu_err(p->err, MU_EINVAL,
		              "the chroot \"%s\" is not a path: %s",
		              p->list.chroot, why.msg);
	return 0;
}

static int parse(struct parse *p)
{
	char *hash = strchr(p->text, '#');
	int rc;

	if (hash) {
		*hash = '\0';
		if (hash[1] != '/')
			return mu_err(p->err, MU_EINVAL,
			              "the chroot \"%s\" does not begin with /",
			              hash + 1);
		p->chroot = hash + 2;
	}
	rc = add_all(p);
	return rc ? rc : keep_chroot(p);
}

int mu_url_parse(const char *text, struct mu_url_list *out, struct mu_err *err)
{
	size_t len = strlen(text);
	struct parse p = { .err = err };
	int rc = MU_ENOMEM;

	p.text = mu_alloc(len + 1);
	p.list.url = mu_alloc(MU_URL_COUNT_MAX * sizeof *p.list.url);
	if (p.text && p.list.url) {
		memcpy(p.text, text, len);
		rc = parse(&p);
	} else {
		mu_err(err, MU_ENOMEM, "out of memory");
	}
	mu_free(p.text);
	if (rc)
		mu_url_list_fini(&p.list);
	else
		*out = p.list;
	return rc;
}

void mu_url_list_fini(struct mu_url_list *list)
{
	mu_free(list->url);
	mu_free(list->chroot);
	*list = (struct mu_url_list){ 0 };
}
