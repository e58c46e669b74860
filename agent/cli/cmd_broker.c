/* cmd_broker.c - muster broker: ask the broker of this host about itself. */
#include "cli.h"
#include "commands.h"
#include "ctl.h"

#include "err.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

static const char *const verbs[] = { "status", "snapshot", "verify" };
#define VERBS (sizeof verbs / sizeof *verbs)

#define KEY_ROOM 200u
#define KEY_WIDTH 26

/* "sessions.used  3": keys of objects in objects joined by dots. */
static int print_member(void *arg, const char *key, const struct mu_json *v)
{
	const char *above = arg;
	char name[KEY_ROOM], *text;
	const char *bare;
	int rc;

	mu_format(name, sizeof name, "%s%s%s", above, above[0] ? "." : "", key);
	if (mu_json_is_object(v))
		return mu_json_each(v, print_member, name);
	bare = mu_json_text_of(v);
	if (bare) {
		printf("%-*s  %s\n", KEY_WIDTH, name, bare);
		return 0;
	}
	text = mu_json_text(v);
	rc = text ? 0 : MU_ENOMEM;
	if (text)
		printf("%-*s  %s\n", KEY_WIDTH, name, text);
	free(text);
	return rc;
}

/* NULL: a sentence, not JSON. */
static struct mu_json *object_of(const char *text)
{
	struct mu_json *j;
	struct mu_err err;

	if (mu_json_parse(text, strlen(text), &j, &err))
		return NULL;
	if (mu_json_is_object(j))
		return j;
	mu_json_free(j);
	return NULL;
}

static int print_plain(struct cli *cli, const char *text)
{
	static char top[] = "";
	struct mu_json *j = object_of(text);
	int rc = 0;

	if (j)
		rc = mu_json_each(j, print_member, top);
	else if (text[0])
		puts(text);
	mu_json_free(j);
	return rc ? cli_fail(cli, rc, NULL) : CLI_OK;
}

static int print_json(struct cli *cli, const char *text)
{
	struct mu_json *j = object_of(text);

	if (j)
		return cli_print_json(cli, j);
	j = mu_json_object();
	if (mu_json_set_str(j, "message", text) == 0)
		return cli_print_json(cli, j);
	mu_json_free(j);
	return cli_fail(cli, MU_ENOMEM, NULL);
}

/* A sentence may bring its own end of line. */
static void cut_end(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
}

static int ask(struct cli *cli, struct ctl *c, const char *verb)
{
	char line[32], *text;
	uint64_t len;
	int rc;

	mu_format(line, sizeof line, "%s\n", verb);
	rc = ctl_open(cli, c, line);
	if (rc == CLI_OK)
		rc = ctl_answer(c, &len);
	if (rc == CLI_OK)
		rc = ctl_text(c, len, &text);
	if (rc)
		return rc;
	cut_end(text);
	rc = cli->json ? print_json(cli, text) : print_plain(cli, text);
	free(text);
	return rc;
}

int cmd_broker(struct cli *cli)
{
	struct ctl *c;
	size_t i = 0;
	int rc;

	while (i < VERBS && strcmp(cli->argv[0], verbs[i]) != 0)
		i++;
	if (i == VERBS)
		return cli_usage(cli,
		                 "\"%s\" is none of status, snapshot, "
		                 "verify",
		                 cli->argv[0]);
	c = malloc(sizeof *c);
	if (!c)
		return cli_fail(cli, MU_ENOMEM, NULL);
	rc = ask(cli, c, verbs[i]);
	ctl_close(c);
	free(c);
	return rc;
}
