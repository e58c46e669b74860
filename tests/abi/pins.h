/*
 * pins.h - where each field of a published struct lies, on 64 bits. A line here
 * is never changed and never taken away: somebody's plugin was built with it.
 * Included after muster/plugin.h, of whichever revision.
 */
#ifndef MU_TEST_PINS_H
#define MU_TEST_PINS_H

#define PIN(type, field, at, width) \
	_Static_assert(offsetof(struct type, field) == (at) && \
	                       sizeof(((struct type *)0)->field) == (width), \
	               #type "." #field " is not where it was")
/* All that there is, up to the end: of a struct that is full. */
#define PIN_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), \
	               #type " has another size: see tests/abi/README")
#define PIN_VALUE(name, value) \
	_Static_assert((name) == (value), #name " has another number")

_Static_assert(sizeof(void *) == 8, "pins are of 64-bit machines");

/* ---- types.h ---- */

PIN(mu_err, code, 0, 4);
PIN(mu_err, msg, 4, 512);
PIN_SIZE(mu_err, 516);
PIN(mu_stat, czxid, 0, 8);
PIN(mu_stat, mzxid, 8, 8);
PIN(mu_stat, ctime, 16, 8);
PIN(mu_stat, mtime, 24, 8);
PIN(mu_stat, version, 32, 4);
PIN(mu_stat, cversion, 36, 4);
PIN(mu_stat, aversion, 40, 4);
PIN(mu_stat, ephemeral_owner, 48, 8);
PIN(mu_stat, data_len, 56, 4);
PIN(mu_stat, num_children, 60, 4);
PIN(mu_stat, pzxid, 64, 8);
PIN_SIZE(mu_stat, 72);
PIN_VALUE(MU_ERROR, 0);
PIN_VALUE(MU_WARN, 1);
PIN_VALUE(MU_INFO, 2);
PIN_VALUE(MU_DEBUG, 3);
PIN_VALUE(sizeof(enum mu_level), 4);

/* ---- plugin.h, revision 1 ---- */

PIN(mu_member, size, 0, 4);
PIN(mu_member, name, 8, 8);
PIN(mu_member, id, 16, 8);
PIN(mu_member, address, 24, 8);
PIN(mu_member, port, 32, 4);
PIN(mu_member, version, 40, 8);
PIN(mu_member, boot_id, 48, 8);
PIN(mu_member, started_ms, 56, 8);
PIN(mu_member, state, 64, 8);
PIN(mu_member, labels, 72, 8);
PIN(mu_member, czxid, 80, 8);

PIN(mu_event, size, 0, 4);
PIN(mu_event, type, 4, 4);
PIN(mu_event, flags, 8, 4);
PIN(mu_event, count, 12, 4);
PIN(mu_event, zxid, 16, 8);
PIN(mu_event, n, 24, 4);
PIN(mu_event, attempt, 28, 4);
PIN(mu_event, path, 32, 8);
PIN(mu_event, data, 40, 8);
PIN(mu_event, data_len, 48, 4);
PIN(mu_event, old_data, 56, 8);
PIN(mu_event, old_len, 64, 4);
PIN(mu_event, stat, 72, 8);
PIN(mu_event, member, 80, 8);

/* It has no size of its own, and cannot grow. */
PIN(mu_report, path, 0, 8);
PIN(mu_report, zxid, 8, 8);
PIN(mu_report, version, 16, 4);
PIN(mu_report, digest, 24, 8);
PIN(mu_report, state, 32, 4);
PIN(mu_report, reason, 40, 8);
PIN_SIZE(mu_report, 48);

PIN(mu_host, abi, 0, 4);
PIN(mu_host, size, 4, 4);
PIN(mu_host, agent, 8, 8);
PIN(mu_host, instance, 16, 8);
PIN(mu_host, member, 24, 8);
PIN(mu_host, log, 32, 8);
PIN(mu_host, setting_str, 40, 8);
PIN(mu_host, setting_int, 48, 8);
PIN(mu_host, setting_bool, 56, 8);
PIN(mu_host, setting_float, 64, 8);
PIN(mu_host, setting_count, 72, 8);
PIN(mu_host, get, 80, 8);
PIN(mu_host, children, 88, 8);
PIN(mu_host, set, 96, 8);
PIN(mu_host, report, 104, 8);

PIN(mu_plugin, abi, 0, 4);
PIN(mu_plugin, size, 4, 4);
PIN(mu_plugin, name, 8, 8);
PIN(mu_plugin, help, 16, 8);
PIN(mu_plugin, init, 24, 8);
PIN(mu_plugin, event, 32, 8);
PIN(mu_plugin, fini, 40, 8);

PIN_VALUE(MU_EVENT_PRESENT, 0);
PIN_VALUE(MU_EVENT_CREATED, 1);
PIN_VALUE(MU_EVENT_DELETED, 2);
PIN_VALUE(MU_EVENT_CHANGED, 3);
PIN_VALUE(MU_EVENT_CHILDREN, 4);
PIN_VALUE(MU_EVENT_MEMBER_PRESENT, 10);
PIN_VALUE(MU_EVENT_MEMBER_JOINED, 11);
PIN_VALUE(MU_EVENT_MEMBER_LEFT, 12);
PIN_VALUE(MU_EVENT_MEMBER_FAILED, 13);
PIN_VALUE(MU_EVENT_MEMBER_CHANGED, 14);
PIN_VALUE(MU_EVENT_CONNECTED, 20);
PIN_VALUE(MU_EVENT_DISCONNECTED, 21);
PIN_VALUE(MU_EVENT_AGAIN, 1);
PIN_VALUE(MU_EVENT_COALESCED, 2);
PIN_VALUE(MU_EVENT_OVERFLOW, 4);
PIN_VALUE(MU_REPORT_APPLIED, 0);
PIN_VALUE(MU_REPORT_REJECTED, 1);
PIN_VALUE(MU_REPORT_FAILED, 2);

/* ---- plugin.h, revision 2 ---- */

#ifdef MU_PLUGIN_REVISION
PIN(mu_event, cause, 88, 4);
PIN(mu_event, author_session, 96, 8);
PIN(mu_event, author, 104, 8);
PIN(mu_host, create, 112, 8);
PIN(mu_host, remove, 120, 8);
PIN(mu_host, wake, 128, 8);
PIN(mu_host, is_removed, 136, 8);
PIN(mu_plugin, wants, 48, 4);
PIN(mu_plugin, tick, 56, 8);
PIN(mu_plugin, check, 64, 8);
PIN_VALUE(MU_BY_REQUEST, 0);
PIN_VALUE(MU_BY_CLOSE, 1);
PIN_VALUE(MU_BY_EXPIRY, 2);
PIN_VALUE(MU_BY_TTL, 3);
PIN_VALUE(MU_EVENT_GAP, 30);
PIN_VALUE(MU_EVENT_STALE, 8);
PIN_VALUE(MU_EVENT_RENEWED, 16);
PIN_VALUE(MU_PLUGIN_EPHEMERAL, 1);
PIN_VALUE(MU_WANT_GAP, 1);
PIN_VALUE(MU_WANT_NEWEST, 2);
#endif

/* ---- and there they end ---- */

#ifdef ABI_FUTURE
/* who knows */
#elif defined(MU_PLUGIN_REVISION)
PIN_SIZE(mu_member, 88);
PIN_SIZE(mu_event, 112);
PIN_SIZE(mu_host, 144);
PIN_SIZE(mu_plugin, 72);
#else
PIN_SIZE(mu_member, 88);
PIN_SIZE(mu_event, 88);
PIN_SIZE(mu_host, 112);
PIN_SIZE(mu_plugin, 48);
#endif

#endif
