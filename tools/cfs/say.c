/* The one way out with a sentence. */
#include "cfs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *describe_errno(int code)
{
	const char *text = strerrordesc_np(code);

	return text ? text : "unknown error";
}

void fail(int exit_code, const char *fmt, ...)
{
	va_list args;

	terminal_restore();
	fflush(stdout);
	fputs("cfs: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(exit_code);
}

void fail_sys(int exit_code, const char *fmt, ...)
{
	int code = errno;
	va_list args;

	terminal_restore();
	fflush(stdout);
	fputs("cfs: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, ": %s\n", describe_errno(code));
	exit(exit_code);
}
