#include "client_impl.h"

#include "err.h"

#include <string.h>

#define ANY 1 /* no status is positive */

/* What the end of a link in this state with this code means to a person: the
 * words before and behind the URL, and behind who should be there. */
static const struct {
	enum mu_link_state state;
	int rc;
	const char *before, *after, *end;
} reasons[] = {
	{ MU_LINK_OPENING, MU_ETIMEDOUT, "no connection to ",
	  " came up in time; is the address right, and ", " running there?" },
	{ MU_LINK_OPENING, ANY, "cannot connect to ", "; is ",
	  " running there? Is the address right?" },
	{ MU_LINK_HANDSHAKE, MU_ETIMEDOUT, "",
	  " took the connection but did not answer; is it a ", "?" },
	{ MU_LINK_HANDSHAKE, MU_EPROTO, "",
	  " answers in another protocol; is it a ", "?" },
	{ MU_LINK_HANDSHAKE, MU_EFULL, "",
	  " has no room for another session; this ",
	  " has as many as its limit allows (sessions_max in broker.conf)" },
	{ MU_LINK_HANDSHAKE, MU_ETHROTTLED, "",
	  " has no room for another connection; this ",
	  " has as many as its limit allows (links_max in broker.conf)" },
	{ MU_LINK_HANDSHAKE, MU_ENOSPACE, "",
	  " begins no session, for the disk of this ",
	  " takes no writes (`muster broker status`, on its host, says why)" },
	{ MU_LINK_HANDSHAKE, MU_EIO, "",
	  " begins no session, for the disk of this ",
	  " refused a write (`muster broker status`, on its host, says why)" },
	{ MU_LINK_HANDSHAKE, ANY, "",
	  " closed the connection without an answer; this ",
	  " may be behind what the session has seen, have a full disk, or too "
	  "many "
	  "connections" },
};

/* Whoever takes one port for the other. */
static const char *hint(const char *url)
{
	bool zookeeper = strncmp(url, "zookeeper://", 12) == 0;
	const char *colon = strrchr(url, ':');

	if (zookeeper && colon && strcmp(colon + 1, MU_URL_PORT) == 0)
		return " (" MU_URL_PORT " is muster-broker's own port: tcp://)";
	if (!zookeeper && colon &&
	    strcmp(colon + 1, MU_URL_ZOOKEEPER_PORT) == 0)
		return " (" MU_URL_ZOOKEEPER_PORT
		       " is the port for ZooKeeper's clients: zookeeper://)";
	return "";
}

void mu_client_note(struct mu_client *c, enum mu_link_state state, int rc)
{
	const char *url = c->brokers.url[c->host];
	char *why = c->why[c->host];

	if (c->why_told)
		return; /* the carrier knew better */
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i].state != state ||
		    (reasons[i].rc != rc && reasons[i].rc != ANY))
			continue;
		mu_format(why, MU_ERR_MSG_MAX, "%s%s%s%s%s%s",
		          reasons[i].before, url, reasons[i].after,
		          c->ops->server, reasons[i].end, hint(url));
		return;
	}
	mu_format(why, MU_ERR_MSG_MAX, "lost the connection to %s: %s", url,
	          mu_err_text(rc));
}

void mu_client_reasons(const struct mu_client *c, char *out, size_t room)
{
	size_t len = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < c->brokers.count; i++)
		if (c->why[i][0])
			len += mu_format(out + len, room - len, "%s%s",
			                 len ? "; " : "", c->why[i]);
}
