#include "account.h"

#include "err.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRATCH_BYTES (64u * 1024) /* a group may have many members */

/* -1 is nobody's: chown and setresuid take it as "leave it". */
static bool is_number(const char *text, uint32_t *out)
{
	unsigned long v;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	*out = (uint32_t)v;
	return *end == '\0' && errno == 0 && v < UINT32_MAX;
}

static int find_user(const char *user, const char *group,
                     struct mu_account *out, struct mu_err *err)
{
	char scratch[SCRATCH_BYTES];
	struct passwd p, *found = NULL;
	uint32_t number = 0;
	bool numeric = is_number(user, &number);
	int why =
		numeric ? getpwuid_r(number, &p, scratch, sizeof scratch,
	                             &found)
			: getpwnam_r(user, &p, scratch, sizeof scratch, &found);

	if (!found && numeric && group[0]) {
		out->uid = number;
		return 0;
	}
	if (!found && numeric)
		return mu_err(err, MU_ECONFIG,
		              "no user has the number %.64s; name its group, "
		              "or another user",
		              user);
	if (!found)
		return mu_err(err, MU_ECONFIG,
		              "there is no user '%.64s' on this host%s%s", user,
		              why ? ": " : "", why ? strerror(why) : "");
	out->uid = p.pw_uid;
	out->gid = p.pw_gid;
	mu_format(out->name, sizeof out->name, "%s", p.pw_name);
	mu_format(out->home, sizeof out->home, "%s", p.pw_dir);
	return 0;
}

static int find_group(const char *group, struct mu_account *out,
                      struct mu_err *err)
{
	char scratch[SCRATCH_BYTES];
	struct group g, *found = NULL;
	int why;

	if (is_number(group, &out->gid))
		return 0;
	why = getgrnam_r(group, &g, scratch, sizeof scratch, &found);
	if (!found)
		return mu_err(err, MU_ECONFIG,
		              "there is no group '%.64s' on this host%s%s",
		              group, why ? ": " : "", why ? strerror(why) : "");
	out->gid = g.gr_gid;
	return 0;
}

int mu_account_find(const char *user, const char *group, struct mu_account *out,
                    struct mu_err *err)
{
	int rc = 0;

	*out = (struct mu_account){ .uid = geteuid(), .gid = getegid() };
	if (user[0])
		rc = find_user(user, group, out, err);
	if (!rc && group[0])
		rc = find_group(group, out, err);
	return rc;
}
