/* kit_new.c - muster plugin new: a plugin that works, its Makefile and its test. */
#include "cli.h"
#include "kit.h"

#include "abi.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 4096u

/* C's own words: a plugin called so would not compile. */
static bool is_word_of_c(const char *name)
{
	static const char *const words[] = {
		"auto",   "break",    "case",    "char",     "const",
		"double", "default",  "do",      "else",     "enum",
		"extern", "float",    "for",     "goto",     "if",
		"inline", "int",      "long",    "register", "restrict",
		"return", "short",    "signed",  "sizeof",   "static",
		"struct", "switch",   "typedef", "union",    "unsigned",
		"void",   "volatile", "while",
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

static int check_name(struct cli *cli, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || name[n] || n > MU_PLUGIN_NAME_MAX)
		return cli_usage(cli,
		                 "\"%.100s\" cannot be a plugin's name: a to "
		                 "z, 0 to 9 and -, at most %u",
		                 name, MU_PLUGIN_NAME_MAX);
	if (name[0] < 'a' || name[0] > 'z' || is_word_of_c(name))
		return cli_usage(cli,
		                 "\"%s\" cannot be the name of a struct and of "
		                 "functions in C, for which it is used; "
		                 "begin with a letter, and take no word of C's",
		                 name);
	return CLI_OK;
}

/* ---- writing ---- */

/* The text with @NAME@ and @ID@ filled in. */
static bool fill(FILE *out, const char *text, const char *name)
{
	while (*text) {
		if (strncmp(text, "@NAME@", 6) == 0) {
			fputs(name, out);
			text += 6;
		} else if (strncmp(text, "@ID@", 4) == 0) {
			for (const char *p = name; *p; p++)
				putc(*p == '-' ? '_' : *p, out);
			text += 4;
		} else {
			putc(*text++, out);
		}
	}
	return !ferror(out);
}

static void place_of(const struct kit_template *t, const char *dir,
                     const char *name, char out[PATH_ROOM])
{
	if (t->file[0] == '@')
		mu_format(out, PATH_ROOM, "%s/%s%s", dir, name, t->file + 1);
	else
		mu_format(out, PATH_ROOM, "%s/%s", dir, t->file);
}

static int cannot(struct cli *cli, const char *what, const char *path)
{
	char text[MU_ERR_MSG_MAX];

	mu_format(text, sizeof text, "cannot %s %.350s: %s", what, path,
	          strerror(errno));
	return cli_fail(cli, MU_EIO, text);
}

static int write_one(struct cli *cli, const struct kit_template *t,
                     const char *dir, const char *name)
{
	char path[PATH_ROOM];
	FILE *out;
	bool good;
	int fd;

	place_of(t, dir, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return cannot(cli, "make", path);
	out = fdopen(fd, "w");
	good = out && fill(out, t->text, name);
	if ((out && fclose(out)) || !good)
		return cannot(cli, "write", path);
	if (!cli->json)
		printf("%s\n", path);
	return CLI_OK;
}

/* Nothing is written where a file would be in the way. */
static int check_free(struct cli *cli, const char *dir, const char *name)
{
	char path[PATH_ROOM], text[MU_ERR_MSG_MAX];

	for (const struct kit_template *t = kit_templates; t->file; t++) {
		struct stat st;

		place_of(t, dir, name, path);
		if (lstat(path, &st) < 0) {
			if (errno == ENOENT)
				continue;
			return cannot(cli, "make", path);
		}
		mu_format(text, sizeof text,
		          "%.350s is there already; give another directory "
		          "with --dir",
		          path);
		return cli_fail(cli, MU_EEXISTS, text);
	}
	return CLI_OK;
}

int kit_new(struct cli *cli)
{
	const char *name = cli->argv[1];
	const char *dir = cli_given(cli, "dir");
	int rc = check_name(cli, name);

	if (rc)
		return rc;
	dir = dir ? dir : name;
	if (strlen(dir) + 64 > PATH_ROOM)
		return cli_usage(cli, "the name of the directory is too long");
	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return cannot(cli, "make the directory", dir);
	rc = check_free(cli, dir, name);
	for (const struct kit_template *t = kit_templates; !rc && t->file; t++)
		rc = write_one(cli, t, dir, name);
	if (rc == CLI_OK && !cli->json)
		printf("Now: make -C %s check\n", dir);
	return rc;
}
