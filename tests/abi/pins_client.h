/* pins_client.h - the same for muster/client.h, whose structs may grow at their
 * ends: they begin with their size. Included after it and pins.h. */
#ifndef MU_TEST_PINS_CLIENT_H
#define MU_TEST_PINS_CLIENT_H

/* No smaller than it was. */
#define PIN_GROWS(type, least) \
	_Static_assert(sizeof(struct type) >= (least), #type " has shrunk")

PIN(mu_watch_event, size, 0, 4);
PIN(mu_watch_event, type, 4, 4);
PIN(mu_watch_event, path, 8, 8);
PIN(mu_watch_event, zxid, 16, 8);
PIN_GROWS(mu_watch_event, 24);

PIN(mu_client_options, size, 0, 4);
PIN(mu_client_options, brokers, 8, 8);
PIN(mu_client_options, timeout_ms, 16, 4);
PIN(mu_client_options, session, 24, 8);
PIN(mu_client_options, password, 32, 16);
PIN(mu_client_options, last_zxid, 48, 8);
PIN(mu_client_options, on_state, 56, 8);
PIN(mu_client_options, on_event, 64, 8);
PIN(mu_client_options, arg, 72, 8);
PIN_GROWS(mu_client_options, 80);

PIN(mu_client_info, size, 0, 4);
PIN(mu_client_info, state, 4, 4);
PIN(mu_client_info, timeout_ms, 8, 4);
PIN(mu_client_info, session, 16, 8);
PIN(mu_client_info, password, 24, 16);
PIN(mu_client_info, last_zxid, 40, 8);
PIN(mu_client_info, features, 48, 4);
PIN(mu_client_info, tree_id, 56, 8);
PIN(mu_client_info, resumed, 64, 1);
PIN(mu_client_info, broker, 65, 256);
PIN_GROWS(mu_client_info, 328);

/* These two have no size of their own, and cannot grow. */
PIN(mu_acl_entry, rights, 0, 4);
PIN(mu_acl_entry, scheme, 8, 8);
PIN(mu_acl_entry, id, 16, 8);
PIN_SIZE(mu_acl_entry, 24);
PIN(mu_op_result, rc, 0, 4);
PIN(mu_op_result, path, 8, 8);
PIN(mu_op_result, stat, 16, 8);
PIN_SIZE(mu_op_result, 24);

PIN(mu_result, size, 0, 4);
PIN(mu_result, rc, 4, 4);
PIN(mu_result, zxid, 8, 8);
PIN(mu_result, path, 16, 8);
PIN(mu_result, data, 24, 8);
PIN(mu_result, len, 32, 4);
PIN(mu_result, stat, 40, 8);
PIN(mu_result, children, 48, 8);
PIN(mu_result, count, 56, 8);
PIN(mu_result, results, 64, 8);
PIN(mu_result, acl, 72, 8);
PIN_GROWS(mu_result, 80);

PIN(mu_create_options, size, 0, 4);
PIN(mu_create_options, path, 8, 8);
PIN(mu_create_options, data, 16, 8);
PIN(mu_create_options, len, 24, 4);
PIN(mu_create_options, flags, 28, 4);
PIN(mu_create_options, acl, 32, 8);
PIN(mu_create_options, acl_count, 40, 8);
PIN(mu_create_options, ttl_ms, 48, 8);
PIN_GROWS(mu_create_options, 56);

/* Nor these. */
PIN(mu_multi_op, kind, 0, 4);
PIN(mu_multi_op, path, 8, 8);
PIN(mu_multi_op, data, 16, 8);
PIN(mu_multi_op, len, 24, 4);
PIN(mu_multi_op, version, 28, 4);
PIN(mu_multi_op, flags, 32, 4);
PIN_SIZE(mu_multi_op, 40);
PIN(mu_value, data, 0, 8);
PIN(mu_value, len, 8, 4);
PIN(mu_value, stat, 16, 72);
PIN_SIZE(mu_value, 88);
PIN(mu_names, names, 0, 8);
PIN(mu_names, count, 8, 8);
PIN(mu_names, stat, 16, 72);
PIN_SIZE(mu_names, 88);

/* ---- with subscriptions ---- */

PIN(mu_client_options, on_change, 80, 8);
PIN_GROWS(mu_client_options, 88);
PIN(mu_result, subscribed, 80, 8);
PIN_GROWS(mu_result, 88);

PIN(mu_change, size, 0, 4);
PIN(mu_change, id, 4, 4);
PIN(mu_change, type, 8, 4);
PIN(mu_change, zxid, 16, 8);
PIN(mu_change, n, 24, 4);
PIN(mu_change, prev_zxid, 32, 8);
PIN(mu_change, prev_n, 40, 4);
PIN(mu_change, path, 48, 8);
PIN(mu_change, cause, 56, 4);
PIN(mu_change, session, 64, 8);
PIN(mu_change, origin, 72, 8);
PIN(mu_change, stat, 80, 8);
PIN(mu_change, data, 88, 8);
PIN(mu_change, len, 96, 4);
PIN(mu_change, whole, 100, 1);
PIN_GROWS(mu_change, 104);

PIN(mu_subscribed, size, 0, 4);
PIN(mu_subscribed, state, 4, 4);
PIN(mu_subscribed, zxid, 8, 8);
PIN(mu_subscribed, n, 16, 4);
PIN(mu_subscribed, from, 24, 8);
PIN(mu_subscribed, to, 32, 8);
PIN_GROWS(mu_subscribed, 40);

PIN(mu_subscribe, size, 0, 4);
PIN(mu_subscribe, id, 4, 4);
PIN(mu_subscribe, path, 8, 8);
PIN(mu_subscribe, mode, 16, 4);
PIN(mu_subscribe, zxid, 24, 8);
PIN(mu_subscribe, n, 32, 4);
PIN_GROWS(mu_subscribe, 40);

#endif
