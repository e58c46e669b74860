/* names.c URL - a program with functions that are called as some inside the
 * library are: neither may notice the other. */
#include <muster/client.h>

#include <stdio.h>
#include <stdlib.h>

/* These have the library's own to compare with: see agent/core, agent/io. */
void *mu_alloc(size_t len);
void mu_free(void *p);
void mu_bug(const char *file, int line, const char *what);
int mu_err_text(int rc);
int mu_link_new(void);

void *mu_alloc(size_t len)
{
	(void)len;
	abort();
}

void mu_free(void *p)
{
	(void)p;
	abort();
}

void mu_bug(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	(void)what;
	abort();
}

int mu_err_text(int rc)
{
	(void)rc;
	abort();
}

int mu_link_new(void)
{
	abort();
}

int main(int argc, char **argv)
{
	struct mu_client_options options = { .size = sizeof options,
		                             .brokers = argv[argc - 1] };
	struct mu_names names;
	struct mu_client *c;
	struct mu_err err;

	if (mu_client_new(&options, &c, &err) ||
	    mu_client_children_sync(c, "/", &names, 5000, &err)) {
		fprintf(stderr, "names: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < names.count; i++)
		puts(names.names[i]);
	mu_names_free(&names);
	mu_client_close(c, 5000);
	mu_client_free(c);
	return EXIT_SUCCESS;
}
