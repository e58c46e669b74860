/*
 * url.h - the list of brokers, as a person writes it. Pure.
 *
 *     tcp://10.0.0.1:7400               one broker
 *     tcp://a:7400,b,[::1]:7401/team    three, and the chroot /team; a port
 *                                       that is left out is 7400
 *     ipc:///run/muster/broker.sock#/team
 *     tcp://a:7400,ipc:///run/b.sock#/team
 *     zookeeper://a:2181,b,c/team       a ZooKeeper ensemble; a port that is
 *                                       left out is 2181
 *
 * tcp and ipc may stand in one list, zookeeper stands alone.
 */
#ifndef MU_CLIENT_URL_H
#define MU_CLIENT_URL_H

#include <muster/types.h>

#define MU_URL_MAX 256u /* bytes of one URL, with the final NUL */
#define MU_URL_COUNT_MAX 32u
#define MU_URL_PORT "7400"
#define MU_URL_ZOOKEEPER_PORT "2181"
#define MU_URL_IPC_MAX 107u /* bytes of a path that the system takes */

struct mu_url_list {
	uint32_t count;
	char (*url)[MU_URL_MAX]; /* each complete: scheme, host, port */
	char *chroot;            /* "" for none; never "/" */
};

/* MU_EINVAL with what is wrong and how it is written, MU_ENOMEM. *out is
 * written on success only, and then the caller's to mu_url_list_fini. */
int mu_url_parse(const char *text, struct mu_url_list *out, struct mu_err *err);
void mu_url_list_fini(struct mu_url_list *list);

#endif /* MU_CLIENT_URL_H */
