#include "buf.h"

#include "bug.h"
#include "mem.h"

#include <muster/types.h>

#include <string.h>

#define ROOM_MIN 64u

void mu_buf_init(struct mu_buf *b)
{
	*b = (struct mu_buf){ 0 };
}

void mu_buf_fini(struct mu_buf *b)
{
	mu_free(b->data);
	mu_buf_init(b);
}

void mu_buf_reset(struct mu_buf *b)
{
	b->len = 0;
	b->failed = false;
}

bool mu_buf_failed(const struct mu_buf *b)
{
	return b->failed;
}

int mu_buf_reserve(struct mu_buf *b, size_t n)
{
	size_t room = b->room ? b->room : ROOM_MIN;
	uint8_t *data;

	if (b->failed)
		return MU_ENOMEM;
	if (n <= b->room - b->len)
		return 0;
	if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		goto refuse;
	while (room - b->len < n)
		room *= 2;
	data = mu_realloc(b->data, room);
	if (!data)
		goto refuse;
	b->data = data;
	b->room = room;
	return 0;

refuse:
	b->failed = true;
	return MU_ENOMEM;
}

uint8_t *mu_buf_grow(struct mu_buf *b, size_t n)
{
	if (mu_buf_reserve(b, n))
		return NULL;
	b->len += n;
	return b->data + b->len - n;
}

void mu_buf_put(struct mu_buf *b, const void *p, size_t n)
{
	uint8_t *at;

	if (n == 0)
		return;
	at = mu_buf_grow(b, n);
	if (at)
		memcpy(at, p, n);
}

void mu_buf_drop(struct mu_buf *b, size_t n)
{
	MU_BUG_ON(n > b->len);
	if (n && n < b->len)
		memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void mu_buf_cut(struct mu_buf *b, size_t len)
{
	MU_BUG_ON(len > b->len);
	b->len = len;
}

size_t mu_buf_take(struct mu_buf *b, uint8_t **out)
{
	size_t len = b->len;

	*out = b->data;
	mu_buf_init(b);
	return len;
}
