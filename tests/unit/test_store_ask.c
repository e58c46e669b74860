/* Reads that few clients ask for: rules 19, 26, 40, 66, 72, 81, 98 of
 * zookeeper-semantics.md. */
#include "store_bed.h"

/* ---- multiRead ---- */

START_TEST(a_multi_read_past_the_reply_limit_is_an_error)
{
	struct mu_store_config config = bed_config();

	config.reply_max = 1000;
	bed_make(1, "/a", "0123456789");
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	/* 12 header, 9 each, 14 data, 68 stat. */
	q_none();
	for (int i = 0; i < 10; i++)
		q_sub_read(MU_OP_GET_DATA, "/a", false);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI_READ, q_end()), 0);
	q_none();
	for (int i = 0; i < 11; i++)
		q_sub_read(MU_OP_GET_DATA, "/a", false);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI_READ, q_end()), MU_ETOOBIG);
}
END_TEST

/* ---- lists and counts ---- */

START_TEST(a_list_of_ephemerals_past_the_reply_limit_is_an_error)
{
	struct mu_store_config config = bed_config();

	bed_err(1, MU_OP_CREATE, q_create("/a", "", 1));
	bed_err(1, MU_OP_CREATE, q_create("/b", "", 1));
	/* What is counted: length, header, count, paths. */
	config.reply_max = 4 + 16 + 4 + 2 * 6;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	ck_assert_int_eq(bed_ephemerals(1, "/"), 2);
	config.reply_max--;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_EPHEMERALS, q_sync("/")),
	                 MU_ETOOBIG);
}
END_TEST

START_TEST(rule72_nobody_is_asked_who_a_link_without_an_address_is)
{
	struct mu_connect_request q = bed_hello();
	struct bed_reply r;

	ck_assert_int_eq(mu_store_link_open(store.s, 3, "ipc", store.now), 0);
	bed_shake(3, &q);
	(void)bed_welcome(3);
	r = bed_do(3, MU_OP_WHO_AM_I, q_none());
	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(mu_get_int(&r.body), 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
}
END_TEST

START_TEST(reading_survives_every_refused_allocation)
{
	static const int32_t ops[] = { MU_OP_GET_ACL, MU_OP_GET_EPHEMERALS,
		                       MU_OP_WHO_AM_I,
		                       MU_OP_GET_ALL_CHILDREN_NUMBER };
	uint32_t link = 10;

	bed_make(1, "/a", "");
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		int refused = 1;

		for (unsigned k = 0; refused; k++) {
			uint8_t *bytes;
			size_t len;

			bed_connect(++link);
			bed_auth(link, "digest", "me:pw");
			bed_err(link, MU_OP_CREATE, q_create("/e", "", 1));
			len = bed_record(1, ops[i], q_sync("/a"), &bytes);
			fault_alloc_at(k);
			mu_store_receive(store.s, link, bytes, len, store.now);
			refused = fault_alloc_off();
			free(bytes);
			bed_pump();
		}
		ck_assert_int_eq(bed_reply(link).err, 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_multi_read_past_the_reply_limit_is_an_error,
		a_list_of_ephemerals_past_the_reply_limit_is_an_error,
		rule72_nobody_is_asked_who_a_link_without_an_address_is,
		reading_survives_every_refused_allocation,
	};

	return bed_run("store: rare reads", tests,
	               sizeof tests / sizeof tests[0], bed_open_two, bed_close);
}
