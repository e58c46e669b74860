/* Talks to its agent without end: "log" through its host, "lines" and "wakes" past
 * its runner, many frames at a time; "deaf" asks again and again, and reads no
 * answer. */
#include "lie.h"

#include <stdint.h>
#include <sys/socket.h>

#define WRITE_BYTES (64u * 1024)
#define CALL_ID_AT 15 /* its last byte, in the frame of a CALL */

static uint8_t frames[2 * WRITE_BYTES];
static size_t len;

static void put_int(uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		frames[len++] = (uint8_t)(v >> shift);
}

static void put_line(void)
{
	put_int(13);
	put_int(18); /* LOG */
	put_int(2);  /* MU_INFO */
	put_int(1);
	frames[len++] = 'x';
}

static void put_wake(void)
{
	put_int(4);
	put_int(21);
}

static void put_get(void)
{
	put_int(43);
	put_int(19); /* CALL */
	put_int(0);
	put_int(7); /* id */
	put_int(1); /* GET */
	put_int(7);
	memcpy(frames + len, "/config", 7);
	len += 7;
	put_int(UINT32_MAX); /* no data */
	put_int(0);          /* version */
	put_int(10000);      /* timeout_ms */
	put_int(0);
}

static void fill(void (*put)(void))
{
	while (len < WRITE_BYTES)
		put();
}

/* The one stream socket that a runner has. */
static int find_channel(void)
{
	for (int fd = 3; fd < 65536; fd++) {
		int type = 0;
		socklen_t size = sizeof type;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		    type == SOCK_STREAM)
			return fd;
	}
	abort();
}

static void flood(useconds_t pause_us)
{
	int fd = find_channel();

	for (;; usleep(pause_us)) {
		if (send(fd, frames, len, MSG_NOSIGNAL) < 0)
			abort();
		if (pause_us && ++frames[CALL_ID_AT] == 0)
			frames[CALL_ID_AT - 1]++;
	}
}

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;
	const char *mode = h->setting_str(h, "mode", "log");

	(void)e, (void)err;
	alarm(120); /* should nobody stop it */
	if (strcmp(mode, "lines") == 0)
		fill(put_line);
	else if (strcmp(mode, "wakes") == 0)
		fill(put_wake);
	else if (strcmp(mode, "deaf") == 0)
		put_get();
	else
		for (unsigned long i = 0;; i++)
			h->log(h, MU_INFO, "line %lu of a chatterer", i);
	flood(strcmp(mode, "deaf") == 0 ? 20000 : 0);
	return 0;
}

static int tick(void *self, struct mu_err *err)
{
	(void)self, (void)err;
	return 0;
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "chatter",
	.init = quiet_init,
	.event = event,
	.fini = quiet_fini,
	.tick = tick,
};
