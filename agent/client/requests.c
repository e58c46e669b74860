#include "client_impl.h"

#include "acl.h"
#include "clock.h"
#include "mem.h"
#include "proto.h"

#include <string.h>

/* Memory that is kept for the next request's body. */
#define BODY_KEPT_MAX (64u * 1024u)

/* ---- paths ---- */

const char *mu_client_strip(const char *chroot, const char *path)
{
	size_t len = strlen(chroot);

	if (strncmp(path, chroot, len) != 0)
		return path;
	if (path[len] == '\0')
		return "/";
	return path[len] == '/' ? path + len : path;
}

/* The path below the chroot, good until the next call. */
static int full_path(struct mu_client *c, const char *path, bool sequential,
                     struct mu_str *out)
{
	struct mu_str own = mu_str_of(path);
	int rc = !path        ? MU_EINVAL
	         : sequential ? mu_path_check_sequential(own, NULL)
	                      : mu_path_check(own, NULL);

	if (rc)
		return rc;
	*out = own;
	if (!c->brokers.chroot[0])
		return 0;
	mu_buf_reset(&c->path);
	mu_buf_put(&c->path, c->brokers.chroot, strlen(c->brokers.chroot));
	if (own.len > 1 || sequential)
		mu_buf_put(&c->path, own.at, own.len);
	if (mu_buf_failed(&c->path))
		return MU_ENOMEM;
	*out = (struct mu_str){ (const char *)c->path.data,
		                (uint32_t)c->path.len };
	return 0;
}

static int data_of(const void *data, int32_t len, struct mu_str *out)
{
	if (len < -1 || (len > 0 && !data))
		return MU_EINVAL;
	*out = (struct mu_str){ 0 };
	if (len >= 0)
		*out = (struct mu_str){ len ? data : "", (uint32_t)len };
	return 0;
}

/* ---- calls ---- */

static void call_remove(struct mu_call *call)
{
	call->prev->next = call->next;
	call->next->prev = call->prev;
	mu_free(call);
}

static void call_add(struct mu_client *c, struct mu_call *call)
{
	call->prev = c->calls.prev;
	call->next = &c->calls;
	call->prev->next = call;
	c->calls.prev = call;
}

void mu_calls_forget(struct mu_client *c, const void *arg)
{
	for (struct mu_call *k = c->calls.next; k != &c->calls; k = k->next)
		if (k->arg == arg)
			k->done = NULL;
}

void mu_calls_drop(struct mu_client *c)
{
	while (c->calls.next != &c->calls)
		call_remove(c->calls.next);
}

struct ask {
	int32_t op;
	const struct mu_link_watch *watch; /* NULL: none */
	size_t count;
	mu_done_fn *done;
	void *arg;
};

/* Send what stands in c->body. */
static int submit(struct mu_client *c, const struct ask *a)
{
	struct mu_call *call;
	int rc;

	if (mu_buf_failed(&c->body))
		return MU_ENOMEM;
	call = mu_alloc(sizeof *call);
	if (!call)
		return MU_ENOMEM;
	call->done = a->done;
	call->arg = a->arg;
	call->count = a->count;
	rc = mu_link_request(c->link, a->op, c->body.data, c->body.len,
	                     a->watch, (uintptr_t)call, mu_clock_mono_ms());
	if (rc) {
		mu_free(call);
		return rc;
	}
	call_add(c, call);
	if (c->body.room > BODY_KEPT_MAX)
		mu_buf_fini(&c->body);
	mu_client_poke(c);
	return 0;
}

/* A result without contents where the request failed, or where its reply
 * cannot be understood or held. */
static void decode(struct mu_client *c, const struct mu_link_action *a,
                   size_t count, struct mu_reply *reply)
{
	int rc = a->rc;

	*reply = (struct mu_reply){ .result = { .len = -1 } };
	if (!rc)
		rc = mu_reply_decode(a->op, count, c->brokers.chroot, a->bytes,
		                     a->len, reply);
	if (rc)
		reply->result.rc = rc;
	reply->result.size = sizeof reply->result;
	reply->result.zxid = a->zxid;
}

void mu_call_done(struct mu_client *c, const struct mu_link_action *a)
{
	struct mu_call *call = (struct mu_call *)(uintptr_t)a->cookie;
	mu_done_fn *done = call->done;
	void *arg = call->arg;
	size_t count = call->count;
	struct mu_reply reply;

	call_remove(call);
	if (!done)
		return;
	decode(c, a, count, &reply);
	done(c, &reply.result, arg);
	mu_free(reply.memory);
}

/* ---- requests on one path ---- */

static int read_path(struct mu_client *c, int32_t op, const char *path,
                     int watch_kind, mu_done_fn *done, void *arg)
{
	struct mu_path_watch_request r = { .watch = watch_kind >= 0 };
	struct mu_link_watch watch = { 0 };
	int rc = full_path(c, path, false, &r.path);

	if (rc)
		return rc;
	if (r.watch) {
		watch.path = r.path;
		watch.kind = (unsigned)watch_kind;
	}
	mu_buf_reset(&c->body);
	mu_put_path_watch(&c->body, &r);
	return submit(c, &(struct ask){ op, &watch, 0, done, arg });
}

int mu_client_get(struct mu_client *c, const char *path, bool watch,
                  mu_done_fn *done, void *arg)
{
	return read_path(c, MU_OP_GET_DATA, path, watch ? MU_LW_DATA : -1, done,
	                 arg);
}

int mu_client_exists(struct mu_client *c, const char *path, bool watch,
                     mu_done_fn *done, void *arg)
{
	return read_path(c, MU_OP_EXISTS, path, watch ? MU_LW_EXIST : -1, done,
	                 arg);
}

int mu_client_children(struct mu_client *c, const char *path, bool watch,
                       mu_done_fn *done, void *arg)
{
	return read_path(c, MU_OP_GET_CHILDREN2, path, watch ? MU_LW_CHILD : -1,
	                 done, arg);
}

/* Each put_ appends the record of one operation to c->body, for a request of
 * its own and inside a multi alike. */
static int put_create(struct mu_client *c, const struct mu_multi_op *op)
{
	bool sequential = op->flags & MU_CREATE_SEQUENTIAL;
	struct mu_create_request r = { .acl = mu_acl_open(),
		                       .mode = (int32_t)op->flags };
	int rc;

	if (op->flags & ~(unsigned)(MU_CREATE_EPHEMERAL | MU_CREATE_SEQUENTIAL))
		return MU_EINVAL;
	rc = data_of(op->data, op->len, &r.data);
	if (!rc)
		rc = full_path(c, op->path, sequential, &r.path);
	if (!rc)
		mu_put_create(&c->body, MU_OP_CREATE2, &r);
	return rc;
}

static int put_set(struct mu_client *c, const struct mu_multi_op *op)
{
	struct mu_set_data_request r = { .version = op->version };
	int rc = data_of(op->data, op->len, &r.data);

	if (!rc)
		rc = full_path(c, op->path, false, &r.path);
	if (!rc)
		mu_put_set_data(&c->body, &r);
	return rc;
}

static int put_delete(struct mu_client *c, const struct mu_multi_op *op)
{
	struct mu_delete_request r = { .version = op->version };
	int rc = full_path(c, op->path, false, &r.path);

	if (!rc)
		mu_put_delete(&c->body, &r);
	return rc;
}

static int put_check(struct mu_client *c, const struct mu_multi_op *op)
{
	struct mu_check_request r = { .version = op->version };
	int rc = full_path(c, op->path, false, &r.path);

	if (!rc)
		mu_put_check(&c->body, &r);
	return rc;
}

static const struct {
	int32_t op;
	int (*put)(struct mu_client *c, const struct mu_multi_op *op);
} kinds[] = {
	[MU_OPKIND_CREATE] = { MU_OP_CREATE2, put_create },
	[MU_OPKIND_DELETE] = { MU_OP_DELETE, put_delete },
	[MU_OPKIND_SET] = { MU_OP_SET_DATA, put_set },
	[MU_OPKIND_CHECK] = { MU_OP_CHECK, put_check },
};

static int write_one(struct mu_client *c, const struct mu_multi_op *op,
                     mu_done_fn *done, void *arg)
{
	int rc;

	mu_buf_reset(&c->body);
	rc = kinds[op->kind].put(c, op);
	if (rc)
		return rc;
	return submit(c,
	              &(struct ask){ kinds[op->kind].op, NULL, 0, done, arg });
}

int mu_client_create(struct mu_client *c, const char *path, const void *data,
                     int32_t len, unsigned flags, mu_done_fn *done, void *arg)
{
	struct mu_multi_op op = { .kind = MU_OPKIND_CREATE,
		                  .path = path,
		                  .data = data,
		                  .len = len,
		                  .flags = flags };

	return write_one(c, &op, done, arg);
}

/* An ACL as it goes over the wire; it lies in *b. */
static int acl_of(const struct mu_acl_entry *acl, size_t count,
                  struct mu_buf *b, struct mu_vec *out)
{
	if (count > INT32_MAX || (count && !acl))
		return MU_EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!acl[i].scheme || !acl[i].id)
			return MU_EINVAL;
		mu_put_acl(b, &(struct mu_acl){ acl[i].rights,
		                                mu_str_of(acl[i].scheme),
		                                mu_str_of(acl[i].id) });
	}
	*out = (struct mu_vec){ (int32_t)count, b->data, b->len };
	return mu_buf_failed(b) ? MU_ENOMEM : 0;
}

/* The operation and the mode that make such a node; false: there is none. */
static bool mode_of(const struct mu_create_options *o, int32_t *op,
                    int32_t *mode)
{
	const unsigned plain = MU_CREATE_EPHEMERAL | MU_CREATE_SEQUENTIAL;

	*mode = (int32_t)o->flags;
	*op = MU_OP_CREATE2;
	if (o->flags == MU_CREATE_CONTAINER && o->ttl_ms == 0) {
		*op = MU_OP_CREATE_CONTAINER;
		*mode = MU_MODE_CONTAINER;
		return true;
	}
	if (o->ttl_ms == 0)
		return (o->flags & ~plain) == 0;
	*op = MU_OP_CREATE_TTL;
	*mode = o->flags ? MU_MODE_PERSISTENT_SEQUENTIAL_TTL
	                 : MU_MODE_PERSISTENT_TTL;
	return (o->flags & ~(unsigned)MU_CREATE_SEQUENTIAL) == 0;
}

static int create_with(struct mu_client *c, const struct mu_create_options *o,
                       struct mu_buf *acl, const struct ask *how)
{
	struct mu_create_request r = { .acl = mu_acl_open(),
		                       .ttl_ms = o->ttl_ms };
	struct ask a = *how;
	int rc;

	if (!mode_of(o, &a.op, &r.mode))
		return MU_EINVAL;
	rc = o->acl_count ? acl_of(o->acl, o->acl_count, acl, &r.acl) : 0;
	if (!rc)
		rc = data_of(o->data, o->len, &r.data);
	if (!rc)
		rc = full_path(c, o->path, o->flags & MU_CREATE_SEQUENTIAL,
		               &r.path);
	if (rc)
		return rc;
	mu_buf_reset(&c->body);
	mu_put_create(&c->body, a.op, &r);
	return submit(c, &a);
}

int mu_client_create_with(struct mu_client *c,
                          const struct mu_create_options *options,
                          mu_done_fn *done, void *arg)
{
	struct mu_buf acl = { 0 };
	int rc;

	if (!options || options->size < sizeof *options)
		return MU_EINVAL;
	rc = create_with(c, options, &acl,
	                 &(struct ask){ .done = done, .arg = arg });
	mu_buf_fini(&acl);
	return rc;
}

int mu_client_get_acl(struct mu_client *c, const char *path, mu_done_fn *done,
                      void *arg)
{
	struct mu_sync_request r;
	int rc = full_path(c, path, false, &r.path);

	if (rc)
		return rc;
	mu_buf_reset(&c->body);
	mu_put_sync(&c->body, &r);
	return submit(c, &(struct ask){ MU_OP_GET_ACL, NULL, 0, done, arg });
}

int mu_client_set_acl(struct mu_client *c, const char *path,
                      const struct mu_acl_entry *acl, size_t count,
                      int32_t version, mu_done_fn *done, void *arg)
{
	struct mu_set_acl_request r = { .version = version };
	struct mu_buf b = { 0 };
	int rc = acl_of(acl, count, &b, &r.acl);

	if (!rc)
		rc = full_path(c, path, false, &r.path);
	if (!rc) {
		mu_buf_reset(&c->body);
		mu_put_set_acl(&c->body, &r);
		rc = submit(c,
		            &(struct ask){ MU_OP_SET_ACL, NULL, 0, done, arg });
	}
	mu_buf_fini(&b);
	return rc;
}

int mu_client_set(struct mu_client *c, const char *path, const void *data,
                  int32_t len, int32_t version, mu_done_fn *done, void *arg)
{
	struct mu_multi_op op = { .kind = MU_OPKIND_SET,
		                  .path = path,
		                  .data = data,
		                  .len = len,
		                  .version = version };

	return write_one(c, &op, done, arg);
}

int mu_client_delete(struct mu_client *c, const char *path, int32_t version,
                     mu_done_fn *done, void *arg)
{
	struct mu_multi_op op = { .kind = MU_OPKIND_DELETE,
		                  .path = path,
		                  .version = version };

	return write_one(c, &op, done, arg);
}

int mu_client_sync(struct mu_client *c, const char *path, mu_done_fn *done,
                   void *arg)
{
	struct mu_sync_request r;
	int rc = full_path(c, path, false, &r.path);

	if (rc)
		return rc;
	mu_buf_reset(&c->body);
	mu_put_sync(&c->body, &r);
	return submit(c, &(struct ask){ MU_OP_SYNC, NULL, 0, done, arg });
}

int mu_client_add_watch(struct mu_client *c, const char *path,
                        enum mu_addwatch_mode mode, mu_done_fn *done, void *arg)
{
	struct mu_add_watch_request r = { .mode = (int32_t)mode };
	struct mu_link_watch watch = { .kind = MU_LW_PERSISTENT };
	int rc = full_path(c, path, false, &r.path);

	if (rc)
		return rc;
	if (mode != MU_ADDWATCH_PERSISTENT && mode != MU_ADDWATCH_RECURSIVE)
		return MU_EINVAL;
	if (mode == MU_ADDWATCH_RECURSIVE)
		watch.kind = MU_LW_RECURSIVE;
	watch.path = r.path;
	mu_buf_reset(&c->body);
	mu_put_add_watch(&c->body, &r);
	return submit(c,
	              &(struct ask){ MU_OP_ADD_WATCH, &watch, 0, done, arg });
}

int mu_client_multi(struct mu_client *c, const struct mu_multi_op *ops,
                    size_t count, mu_done_fn *done, void *arg)
{
	mu_buf_reset(&c->body);
	for (size_t i = 0; i < count; i++) {
		int rc;

		if ((unsigned)ops[i].kind >= sizeof kinds / sizeof kinds[0])
			return MU_EINVAL;
		mu_put_multi_header(&c->body, kinds[ops[i].kind].op, false, -1);
		rc = kinds[ops[i].kind].put(c, &ops[i]);
		if (rc)
			return rc;
	}
	mu_put_multi_header(&c->body, -1, true, -1);
	return submit(c, &(struct ask){ MU_OP_MULTI, NULL, count, done, arg });
}

static bool position_fits(const struct mu_subscribe *what)
{
	return what->zxid == -1 || (what->zxid >= 0 && what->n >= 0);
}

int mu_client_subscribe(struct mu_client *c, const struct mu_subscribe *what,
                        mu_done_fn *done, void *arg)
{
	struct mu_subscribe_request r;
	int rc;

	if (!what || what->size < sizeof *what || !position_fits(what) ||
	    (unsigned)what->mode > MU_SUBSCRIBE_SUBTREE)
		return MU_EINVAL;
	r = (struct mu_subscribe_request){
		.id = what->id,
		.mode = (int32_t)what->mode,
		.zxid = what->zxid,
		.n = what->zxid == -1 ? MU_CHANGE_N_END : what->n,
	};
	rc = full_path(c, what->path, false, &r.path);
	if (rc)
		return rc;
	mu_buf_reset(&c->body);
	mu_put_subscribe(&c->body, &r);
	return submit(c, &(struct ask){ MU_OP_SUBSCRIBE, NULL, 0, done, arg });
}

int mu_client_unsubscribe(struct mu_client *c, int32_t id, mu_done_fn *done,
                          void *arg)
{
	const struct mu_unsubscribe_request r = { .id = id };

	mu_buf_reset(&c->body);
	mu_put_unsubscribe(&c->body, &r);
	return submit(c,
	              &(struct ask){ MU_OP_UNSUBSCRIBE, NULL, 0, done, arg });
}
