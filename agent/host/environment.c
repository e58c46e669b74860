#include "environment.h"

#include "buf.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USUAL_PATH \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Passed on, if the agent has it. */
static const char *const kept[] = {
	"PATH",       "LANG",        "LANGUAGE",   "LC_ALL",      "LC_CTYPE",
	"LC_COLLATE", "LC_MESSAGES", "LC_NUMERIC", "LC_TIME",     "TZ",
	"TMPDIR",     "http_proxy",  "no_proxy",   "https_proxy", "HTTPS_PROXY",
	"NO_PROXY",   "all_proxy",   "ALL_PROXY",
};

/* The agent's too, where the instance has no user of its own. */
static const char *const person[] = { "HOME", "USER", "LOGNAME" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The texts one after another, each with its NUL. */
struct texts {
	struct mu_buf b;
	size_t count;
};

static bool is_named(const char *text, const char *name, size_t len)
{
	return strncmp(text, name, len) == 0 && text[len] == '=';
}

/* What the configuration names is not there twice. */
static bool is_in(const struct mu_conf_list *more, const char *name)
{
	for (size_t i = 0; i < more->count; i++)
		if (strcmp(more->item[i], name) == 0 ||
		    is_named(more->item[i], name, strlen(name)))
			return true;
	return false;
}

static void put(struct texts *t, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	mu_buf_put(&t->b, name, strlen(name));
	mu_buf_put(&t->b, "=", 1);
	mu_buf_put(&t->b, value, strlen(value) + 1);
	t->count++;
}

static void put_more(struct texts *t, const struct mu_conf_list *more)
{
	for (size_t i = 0; i < more->count; i++) {
		const char *item = more->item[i];

		if (!strchr(item, '=')) {
			put(t, item, getenv(item));
			continue;
		}
		mu_buf_put(&t->b, item, strlen(item) + 1);
		t->count++;
	}
}

/* The array and, behind it, its texts. */
static char **lay_out(const struct texts *t)
{
	size_t head = (t->count + 1) * sizeof(char *);
	char **out = mu_buf_failed(&t->b) ? NULL : mu_alloc(head + t->b.len);
	char *at;

	if (!out)
		return NULL;
	at = (char *)out + head;
	if (t->b.len)
		memcpy(at, t->b.data, t->b.len);
	for (size_t i = 0; i < t->count; i++) {
		out[i] = at;
		at += strlen(at) + 1;
	}
	return out;
}

char **mu_environment_new(const struct mu_account *account,
                          const struct mu_conf_list *more)
{
	const char *own[] = { account->home, account->name, account->name };
	/* A number without a name is not us. */
	bool ours = !account->name[0] && account->uid == geteuid();
	struct texts t = { .count = 0 };
	char **out;

	mu_buf_init(&t.b);
	for (size_t i = 0; i < COUNT(kept); i++)
		if (!is_in(more, kept[i]))
			put(&t, kept[i], getenv(kept[i]));
	if (!getenv("PATH") && !is_in(more, "PATH"))
		put(&t, "PATH", USUAL_PATH);
	for (size_t i = 0; i < COUNT(person); i++)
		if (!is_in(more, person[i]))
			put(&t, person[i], ours ? getenv(person[i]) : own[i]);
	put_more(&t, more);
	out = lay_out(&t);
	mu_buf_fini(&t.b);
	return out;
}

bool mu_environment_is_item(const char *text)
{
	return text[0] != '\0' && text[0] != '=';
}
