#include "err.h"

#include "bug.h"

#include <stdarg.h>
#include <stdio.h>

int mu_err(struct mu_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	va_end(ap);
	return code;
}

static const struct {
	int code;
	const char *name;
	const char *text;
} status[] = { { MU_OK, "MU_OK", "done" },
#define STATUS_ROW(name, number, text) { name, #name, text },
	       MU_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
};

#define STATUS_COUNT (sizeof status / sizeof status[0])

const char *mu_err_name(int code)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (status[i].code == code)
			return status[i].name;
	return "MU_E?";
}

const char *mu_err_text(int code)
{
	for (size_t i = 0; i < STATUS_COUNT; i++)
		if (status[i].code == code)
			return status[i].text;
	return "an error without a name";
}

size_t mu_format(char *out, size_t room, const char *fmt, ...)
{
	va_list ap;
	int n;

	MU_BUG_ON(room == 0);
	va_start(ap, fmt);
	n = vsnprintf(out, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	return (size_t)n < room ? (size_t)n : room - 1;
}
