#include "soak_journal.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 4096u

struct bucket {
	struct soak_strand *strand[8];
	size_t count;
};

struct soak_journal {
	pthread_mutex_t lock;
	struct soak_strand *all;
	struct bucket bucket[BUCKETS];
	size_t count;
};

struct soak_journal *soak_journal_new(void)
{
	struct soak_journal *j = calloc(1, sizeof *j);

	ck_assert_ptr_nonnull(j);
	pthread_mutex_init(&j->lock, NULL);
	return j;
}

void soak_journal_free(struct soak_journal *j)
{
	struct soak_strand *s;

	while ((s = j->all)) {
		j->all = s->next;
		free(s->entry);
		free(s);
	}
	pthread_mutex_destroy(&j->lock);
	free(j);
}

struct soak_strand *soak_journal_find(struct soak_journal *j, const char *path,
                                      bool children)
{
	const uint64_t hash = soak_digest(path, (int32_t)strlen(path));
	struct bucket *b = &j->bucket[hash % BUCKETS];

	for (size_t i = 0; i < b->count; i++)
		if (b->strand[i]->children == children &&
		    strcmp(b->strand[i]->path, path) == 0)
			return b->strand[i];
	return NULL;
}

static struct soak_strand *add(struct soak_journal *j, const char *path,
                               bool children)
{
	const uint64_t hash = soak_digest(path, (int32_t)strlen(path));
	struct bucket *b = &j->bucket[hash % BUCKETS];
	struct soak_strand *s = calloc(1, sizeof *s);

	if (!s || b->count == sizeof b->strand / sizeof b->strand[0] ||
	    strlen(path) >= sizeof s->path)
		abort();
	strcpy(s->path, path);
	s->children = children;
	s->next = j->all;
	j->all = s;
	b->strand[b->count++] = s;
	return s;
}

void soak_journal_put(struct soak_journal *j, const char *path,
                      const struct soak_entry *e)
{
	bool children = e->type == MU_EVENT_CHILDREN;
	struct soak_strand *s;

	pthread_mutex_lock(&j->lock);
	s = soak_journal_find(j, path, children);
	if (!s)
		s = add(j, path, children);
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 16;
		s->entry = realloc(s->entry, s->room * sizeof *s->entry);
		if (!s->entry)
			abort();
	}
	s->entry[s->count++] = *e;
	j->count++;
	pthread_mutex_unlock(&j->lock);
}

struct soak_strand *soak_journal_all(struct soak_journal *j)
{
	return j->all;
}

size_t soak_journal_count(const struct soak_journal *j)
{
	return j->count;
}

bool soak_entry_is_there(const struct soak_entry *e)
{
	return e->type != MU_EVENT_DELETED && e->type != MU_EVENT_MEMBER_LEFT &&
	       e->type != MU_EVENT_MEMBER_FAILED;
}
