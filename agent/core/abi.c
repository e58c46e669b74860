#include "abi.h"

#include "err.h"

#include <string.h>

/* abi and size are the two fields whose place never changes. */
struct head {
	uint32_t abi, size;
};

#define END_OF(field) \
	(offsetof(struct mu_plugin, field) + \
	 sizeof(((struct mu_plugin *)0)->field))

/* Where struct mu_plugin ended in each published revision before this one. */
static const size_t old_sizes[] = { END_OF(fini) };

#define SIZE_MIN END_OF(fini)

unsigned mu_abi_revision(size_t size)
{
	unsigned n = 0;

	while (n < sizeof old_sizes / sizeof old_sizes[0])
		if (size == old_sizes[n++])
			return n;
	if (size > sizeof(struct mu_plugin))
		return MU_PLUGIN_REVISION + 1;
	return size == sizeof(struct mu_plugin) ? MU_PLUGIN_REVISION : 0;
}

static bool name_is_legal(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= MU_PLUGIN_NAME_MAX && name[n] == '\0';
}

static int check_head(struct head h, size_t room, struct mu_err *err)
{
	if (h.abi != MU_PLUGIN_ABI)
		return mu_err(err, MU_EABI,
		              "it was built for plugin ABI %u, this agent has "
		              "%u; build it with this agent's muster/plugin.h",
		              (unsigned)h.abi, MU_PLUGIN_ABI);
	if (h.size < SIZE_MIN)
		return mu_err(err, MU_EABI,
		              "it says that its mu_plugin has %u bytes, at "
		              "least %zu are needed; set .size to "
		              "sizeof(struct mu_plugin)",
		              (unsigned)h.size, SIZE_MIN);
	/* Between two revisions: some field would be cut in two. */
	if (!mu_abi_revision(h.size))
		return mu_err(err, MU_EABI,
		              "it says that its mu_plugin has %u bytes, as in "
		              "no published muster/plugin.h; set .size to "
		              "sizeof(struct mu_plugin)",
		              (unsigned)h.size);
	if (room && h.size > room)
		return mu_err(err, MU_EABI,
		              "it says that its mu_plugin has %u bytes, but "
		              "only %zu are there; set .size to "
		              "sizeof(struct mu_plugin)",
		              (unsigned)h.size, room);
	return 0;
}

static int check_fields(const struct mu_plugin *p, struct mu_err *err)
{
	const char *missing = !p->init    ? "init"
	                      : !p->event ? "event"
	                      : !p->fini  ? "fini"
	                                  : NULL;

	if (!p->name || !name_is_legal(p->name))
		return mu_err(err, MU_EINVAL,
		              "its name is not 1 to %u of a-z, 0-9 and '-'",
		              MU_PLUGIN_NAME_MAX);
	if (missing)
		return mu_err(err, MU_EINVAL, "plugin %s has no %s", p->name,
		              missing);
	return 0;
}

int mu_abi_adopt(const void *raw, size_t room, struct mu_plugin *out,
                 struct mu_err *err)
{
	struct mu_plugin p = { 0 };
	struct head h;
	int rc;

	if (room && room < sizeof h)
		return mu_err(err, MU_EABI,
		              "its mu_plugin has only %zu bytes: it is no "
		              "struct mu_plugin",
		              room);
	memcpy(&h, raw, sizeof h);
	rc = check_head(h, room, err);
	if (rc)
		return rc;
	memcpy(&p, raw, h.size < sizeof p ? h.size : sizeof p);
	rc = check_fields(&p, err);
	if (rc)
		return rc;
	*out = p;
	return 0;
}

int mu_abi_check_name(const char *name, const char *file, struct mu_err *err)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	size_t len = strlen(name);

	if (strncmp(base, name, len) == 0 && strcmp(base + len, ".so") == 0)
		return 0;
	return mu_err(err, MU_EINVAL,
	              "the plugin calls itself %s, its file is %s; a plugin is "
	              "called as its file without .so",
	              name, base);
}
