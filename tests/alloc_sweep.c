/* Allocation failures on demand: see alloc_sweep.h.
 *
 * The names __wrap_X and __real_X are the linker's (--wrap). All state belongs
 * to the thread that sweeps.
 */
#include "tests/alloc_sweep.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define MOST_ALLOCATIONS 100000 /* what never succeeds shall not run for ever */

static _Thread_local bool sweeping;
static _Thread_local bool fail_rest; /* the ones after the chosen one too */
static _Thread_local unsigned count; /* allocations so far in this run */
static _Thread_local unsigned chosen;

static bool must_fail(void)
{
	if (!sweeping)
		return false;
	count++;
	if (count < chosen || (count > chosen && !fail_rest))
		return false;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
FILE *__real_open_memstream(char **text, size_t *len);
int __real_vasprintf(char **text, const char *fmt, va_list args);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t members, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t members, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
FILE *__wrap_open_memstream(char **text, size_t *len);
__attribute__((format(printf, 2, 0))) int __wrap_vasprintf(char **text, const char *fmt,
							   va_list args);
__attribute__((format(printf, 2, 3))) int __wrap_asprintf(char **text, const char *fmt, ...);

void *__wrap_malloc(size_t size)
{
	return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t members, size_t size)
{
	return must_fail() ? NULL : __real_calloc(members, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return must_fail() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t members, size_t size)
{
	return must_fail() ? NULL : __real_reallocarray(old, members, size);
}

char *__wrap_strdup(const char *text)
{
	return must_fail() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
	return must_fail() ? NULL : __real_strndup(text, len);
}

FILE *__wrap_open_memstream(char **text, size_t *len)
{
	return must_fail() ? NULL : __real_open_memstream(text, len);
}

int __wrap_vasprintf(char **text, const char *fmt, va_list args)
{
	return must_fail() ? -1 : __real_vasprintf(text, fmt, args);
}

int __wrap_asprintf(char **text, const char *fmt, ...)
{
	va_list args;
	int len;

	if (must_fail())
		return -1;
	va_start(args, fmt);
	len = __real_vasprintf(text, fmt, args);
	va_end(args);
	return len;
}

static unsigned sweep(int (*attempt)(void *arg), void *arg)
{
	for (chosen = 1; chosen < MOST_ALLOCATIONS; chosen++) {
		int r;

		count = 0;
		sweeping = true;
		r = attempt(arg);
		sweeping = false;
		if (count < chosen) {
			assert_int_equal(r, 0);
			return count;
		}
		if (r != -ENOMEM)
			print_error("allocation %u failed, the result is %d\n", chosen, r);
		assert_int_equal(r, -ENOMEM);
	}
	fail_msg("no success within %d allocations", MOST_ALLOCATIONS);
	return 0;
}

unsigned alloc_sweep(int (*attempt)(void *arg), void *arg)
{
	unsigned alone, all;

	fail_rest = false;
	alone = sweep(attempt, arg);
	fail_rest = true;
	all = sweep(attempt, arg);
	assert_int_equal(alone, all);
	return alone;
}
