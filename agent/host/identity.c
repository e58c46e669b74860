#include "identity.h"

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "files.h"
#include "log.h"
#include "mem.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IDENTITY_HEAD "muster-identity 1\n"
#define SESSION_HEAD "muster-session 2\n"
#define LEAVE_HEAD "muster-leave 1\n"
#define FILE_MAX 4096u
#define LOCK_WAIT_MS 1000u
#define LOCK_POLL_MS 5u

static void path_of(char out[PATH_MAX], const char *dir, const char *name)
{
	snprintf(out, PATH_MAX, "%s/%s", dir, name);
}

static void hex_put(char *out, const uint8_t *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[p[i] >> 4];
		out[2 * i + 1] = digit[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_get(const char *text, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_value(text[2 * i]);
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * n] == '\0' || text[2 * n] == '\n';
}

/* ---- identity ---- */

static int no_state_dir(struct mu_err *err, int rc, const struct mu_err *why)
{
	return mu_err(err, rc,
	              "%s (state_dir of agent.conf: a directory that the agent "
	              "may write)",
	              why->msg);
}

static int identity_make(const char *state_dir, const char *path, char *id,
                         struct mu_err *err)
{
	char text[sizeof IDENTITY_HEAD + MU_ID_LEN + 2];
	uint8_t random[MU_ID_LEN / 2];
	struct mu_err why;
	int n, rc;

	rc = mu_dir_make(state_dir, 0755, &why);
	if (rc)
		return no_state_dir(err, rc, &why);
	mu_clock_random(random, sizeof random);
	hex_put(id, random, sizeof random);
	n = snprintf(text, sizeof text, "%s%s\n", IDENTITY_HEAD, id);
	return mu_file_replace(path, text, (size_t)n, 0644, err);
}

int mu_identity_load(const char *state_dir, char id[MU_ID_LEN + 1],
                     struct mu_err *err)
{
	const size_t head = sizeof IDENTITY_HEAD - 1;
	uint8_t bytes[MU_ID_LEN / 2];
	struct mu_err why;
	char path[PATH_MAX];
	char *text;
	size_t len;
	bool good;
	int rc;

	path_of(path, state_dir, "identity");
	rc = mu_file_read(path, FILE_MAX, &text, &len, &why);
	if (rc == MU_ENONODE)
		return identity_make(state_dir, path, id, err);
	if (rc)
		return no_state_dir(err, rc, &why);
	good = len >= head + MU_ID_LEN &&
	       memcmp(text, IDENTITY_HEAD, head) == 0 &&
	       hex_get(text + head, bytes, sizeof bytes);
	if (good)
		hex_put(id, bytes, sizeof bytes);
	mu_free(text);
	if (good)
		return 0;
	return mu_err(err, MU_EDATA,
	              "%s is not an identity of this version; move it away to "
	              "get a new one",
	              path);
}

/* ---- session ---- */

uint32_t mu_brokers_hash(const char *urls)
{
	uint32_t h = 2166136261u;

	for (; *urls; urls++)
		h = (h ^ (uint8_t)*urls) * 16777619u;
	return h;
}

static bool session_parse(const char *text, struct mu_saved_session *s)
{
	char password[33] = "";
	int end = 0;
	int n = sscanf(text,
	               SESSION_HEAD "session %" SCNx64 " password %32s "
	                            "zxid %" SCNx64 " tree %" SCNx64
	                            " brokers %" SCNx32 " name=%255[^\n] end%n",
	               (uint64_t *)&s->session, password,
	               (uint64_t *)&s->last_zxid, (uint64_t *)&s->tree_id,
	               &s->brokers, s->name, &end);

	return n == 6 && end > 0 && s->session != 0 &&
	       hex_get(password, s->password, sizeof s->password);
}

int mu_session_load(const char *runtime_dir, struct mu_saved_session *out,
                    struct mu_err *err)
{
	struct mu_saved_session s = { 0 };
	char path[PATH_MAX];
	char *text;
	size_t len;
	bool good;
	int rc;

	path_of(path, runtime_dir, "session");
	rc = mu_file_read(path, FILE_MAX, &text, &len, err);
	if (rc)
		return rc;
	good = strncmp(text, SESSION_HEAD, sizeof SESSION_HEAD - 1) == 0 &&
	       session_parse(text, &s);
	mu_free(text);
	if (!good)
		return mu_err(err, MU_EDATA,
		              "%s is not a session of this version", path);
	*out = s;
	return 0;
}

int mu_session_save(const char *runtime_dir, const struct mu_saved_session *s,
                    struct mu_err *err)
{
	char path[PATH_MAX], text[1024], password[33];
	int n;

	hex_put(password, s->password, sizeof s->password);
	n = snprintf(text, sizeof text,
	             SESSION_HEAD "session %" PRIx64 "\npassword %s\n"
	                          "zxid %" PRIx64 "\ntree %" PRIx64
	                          "\nbrokers %" PRIx32 "\nname=%s\nend\n",
	             (uint64_t)s->session, password, (uint64_t)s->last_zxid,
	             (uint64_t)s->tree_id, s->brokers, s->name);
	path_of(path, runtime_dir, "session");
	return mu_file_replace(path, text, (size_t)n, 0600, err);
}

void mu_session_forget(const char *runtime_dir)
{
	char path[PATH_MAX];

	path_of(path, runtime_dir, "session");
	unlink(path);
}

/* ---- leave ---- */

int mu_leave_say(const char *runtime_dir, const char *why, struct mu_err *err)
{
	char path[PATH_MAX], text[FILE_MAX];
	int n = snprintf(text, sizeof text, LEAVE_HEAD "%s%.1000s\n",
	                 why ? "failed " : "left", why ? why : "");

	path_of(path, runtime_dir, "leave");
	return mu_file_replace(path, text, (size_t)n, 0600, err);
}

int mu_leave_read(const char *runtime_dir, struct mu_err *err)
{
	const size_t head = sizeof LEAVE_HEAD - 1;
	const char failed[] = "failed ";
	char path[PATH_MAX];
	char *text;
	size_t len;
	int rc;

	path_of(path, runtime_dir, "leave");
	rc = mu_file_read(path, FILE_MAX, &text, &len, err);
	if (rc)
		return rc;
	rc = MU_EDATA;
	if (len < head || memcmp(text, LEAVE_HEAD, head) != 0)
		mu_err(err, rc, "%s is not a file of this version", path);
	else if (strcmp(text + head, "left\n") == 0)
		rc = 0;
	else if (strncmp(text + head, failed, sizeof failed - 1) == 0)
		rc = mu_err(err, MU_EGONE, "%.*s",
		            (int)strcspn(text + head + sizeof failed - 1, "\n"),
		            text + head + sizeof failed - 1);
	else
		mu_err(err, rc, "%s is damaged", path);
	mu_free(text);
	return rc;
}

void mu_leave_forget(const char *runtime_dir)
{
	char path[PATH_MAX];

	path_of(path, runtime_dir, "leave");
	unlink(path);
}

/* ---- lock ---- */

/* An agent that was killed holds it until its worker is gone, too; and who looks
 * for the holder holds it for a moment himself. */
static int lock_patiently(const char *path, int *fd, struct mu_err *err)
{
	const struct timespec nap = { 0, LOCK_POLL_MS * 1000000 };
	int rc = mu_file_lock(path, fd, err);

	for (uint32_t ms = 0; rc == MU_EFULL && ms < LOCK_WAIT_MS;
	     ms += LOCK_POLL_MS) {
		nanosleep(&nap, NULL);
		rc = mu_file_lock(path, fd, err);
	}
	return rc;
}

int mu_runtime_lock(const char *runtime_dir, int *fd, struct mu_err *err)
{
	char path[PATH_MAX];
	struct mu_err why;
	int rc = mu_dir_make(runtime_dir, 0700, err);

	if (rc)
		return rc;
	path_of(path, runtime_dir, "lock");
	rc = lock_patiently(path, fd, &why);
	if (rc == MU_EFULL)
		return mu_err(err, rc,
		              "another agent runs with runtime_dir %.200s "
		              "(%.200s); give this one its own",
		              runtime_dir, why.msg);
	return rc ? mu_err(err, rc, "%s", why.msg) : 0;
}

int mu_runtime_holder(const char *runtime_dir, int *pid, struct mu_err *err)
{
	char path[PATH_MAX];
	char *text;
	size_t len;
	int fd, rc;

	path_of(path, runtime_dir, "lock");
	if (access(path, F_OK))
		return mu_err(err, MU_ENONODE, "no agent runs with %s",
		              runtime_dir);
	rc = mu_file_lock(path, &fd, err);
	if (!rc) {
		close(fd);
		return mu_err(err, MU_ENONODE, "no agent runs with %s",
		              runtime_dir);
	}
	if (rc != MU_EFULL)
		return rc;
	rc = mu_file_read(path, FILE_MAX, &text, &len, err);
	if (rc)
		return rc;
	*pid = atoi(text);
	mu_free(text);
	if (*pid > 1)
		return 0;
	return mu_err(err, MU_EAGAIN, "%s does not hold a pid yet", path);
}
