/* Does not lie: tells who and where it is, and what it may; a constructor looks
 * first, for it is the first code of a plugin that runs. */
#include "lie.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

extern char **environ;

struct view {
	unsigned uid, gid, umask;
	long processes, files;
	char cwd[1024], caps[64], bound[64], priv[32], groups[64];
};

static struct view early;

/* The line "Key:\tvalue" of /proc/self/status. */
static void status_line(const char *key, char *out, size_t room)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];

	out[0] = '\0';
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, key, strlen(key)) == 0) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(out, room, "%s",
			         line + strlen(key) + 1 +
			                 strspn(line + strlen(key) + 1, "\t "));
		}
	if (f)
		fclose(f);
}

static void look(struct view *v)
{
	struct rlimit r;

	v->uid = geteuid();
	v->gid = getegid();
	v->umask = umask(0);
	umask(v->umask);
	getrlimit(RLIMIT_NPROC, &r);
	v->processes = (long)r.rlim_cur;
	getrlimit(RLIMIT_NOFILE, &r);
	v->files = (long)r.rlim_cur;
	if (!getcwd(v->cwd, sizeof v->cwd))
		v->cwd[0] = '\0';
	status_line("CapPrm:", v->caps, sizeof v->caps);
	status_line("CapBnd:", v->bound, sizeof v->bound);
	status_line("NoNewPrivs:", v->priv, sizeof v->priv);
	status_line("Groups:", v->groups, sizeof v->groups);
}

__attribute__((constructor)) static void first(void)
{
	look(&early);
}

static void tell(const struct mu_host *h, const char *when,
                 const struct view *v)
{
	h->log(h, MU_INFO,
	       "%s uid %u gid %u groups '%s' umask %03o processes %ld files "
	       "%ld priv %s caps %s bound %s cwd %s",
	       when, v->uid, v->gid, v->groups, v->umask, v->processes,
	       v->files, v->priv, v->caps, v->bound, v->cwd);
}

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	struct view now;
	int fd;

	(void)err;
	*self = (void *)h;
	look(&now);
	tell(h, "early", &early);
	tell(h, "now", &now);
	for (char **e = environ; *e; e++)
		h->log(h, MU_INFO, "env %s", *e);
	fd = open("mine", O_CREAT | O_WRONLY, 0666);
	h->log(h, MU_INFO, "work dir can%s be written", fd < 0 ? "not" : "");
	if (fd >= 0)
		close(fd);
	return 0;
}

PLUGIN("who", init, quiet_event, quiet_fini);
