#include "crc.h"

/* Eight bytes at a time: table k tells what a byte does that is followed by k
 * others. The checksum is linear, so a table of 256 is made of the eight entries
 * of its single bits. */
#define BIT(i, n, b) ((i) >> (n)&1 ? (b) : 0u)
#define ONE(i, a, b, c, d, e, f, g, h) \
	(BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ \
	 BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^ BIT(i, 7, h))
#define FOUR(i, ...) \
	ONE((i), __VA_ARGS__), ONE((i) + 1, __VA_ARGS__), \
		ONE((i) + 2, __VA_ARGS__), ONE((i) + 3, __VA_ARGS__)
#define SIXTEEN(i, ...) \
	FOUR((i), __VA_ARGS__), FOUR((i) + 4, __VA_ARGS__), \
		FOUR((i) + 8, __VA_ARGS__), FOUR((i) + 12, __VA_ARGS__)
#define SIXTYFOUR(i, ...) \
	SIXTEEN((i), __VA_ARGS__), SIXTEEN((i) + 16, __VA_ARGS__), \
		SIXTEEN((i) + 32, __VA_ARGS__), SIXTEEN((i) + 48, __VA_ARGS__)
#define ROW(...) \
	{ \
		SIXTYFOUR(0u, __VA_ARGS__), SIXTYFOUR(64u, __VA_ARGS__), \
			SIXTYFOUR(128u, __VA_ARGS__), \
			SIXTYFOUR(192u, __VA_ARGS__) \
	}

static const uint32_t table[8][256] = {
	ROW(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f,
	    0x20bd8ede, 0x417b1dbc, 0x82f63b78),
	ROW(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181,
	    0x7f8be302, 0xff17c604, 0xfbc3faf9),
	ROW(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a,
	    0xe144fb14, 0xc76580d9, 0x8b277743),
	ROW(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d,
	    0xd725148b, 0xaba65fe7, 0x52a0c93f),
	ROW(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3,
	    0x1ba8b557, 0x37516aae, 0x6ea2d55c),
	ROW(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e,
	    0x85f4168d, 0x0e045beb, 0x1c08b7d6),
	ROW(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6,
	    0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
	ROW(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4,
	    0x0d006599, 0x1a00cb32, 0x34019664),
};

static uint32_t load(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint32_t eight(uint32_t crc, const uint8_t *p)
{
	const uint32_t lo = crc ^ load(p), hi = load(p + 4);

	return table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^
	       table[5][lo >> 16 & 0xff] ^ table[4][lo >> 24] ^
	       table[3][hi & 0xff] ^ table[2][hi >> 8 & 0xff] ^
	       table[1][hi >> 16 & 0xff] ^ table[0][hi >> 24];
}

uint32_t mu_crc32c(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *at = p;

	crc = ~crc;
	for (; len >= 8; len -= 8, at += 8)
		crc = eight(crc, at);
	for (; len > 0; len--)
		crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xff];
	return ~crc;
}
