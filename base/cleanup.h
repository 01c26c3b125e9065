/* Scope-bound ownership: a failure is one return, with nothing to unwind.
 *
 * Declare initialised (NULL, -1); give away with steal_ptr() or steal_fd()
 * only where ownership moves. Every cleaner keeps errno.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_free __attribute__((cleanup(cleanup_free)))
#define auto_fd __attribute__((cleanup(cleanup_fd)))
#define auto_file __attribute__((cleanup(cleanup_file)))
#define auto_dir __attribute__((cleanup(cleanup_dir)))

/* auto_x(strbuf_deinit) style for structs: DEFINE_AUTO(struct x *, x_free)
 * gives the attribute function cleanup_x_free, used as AUTO(x_free). */
#define AUTO(func) __attribute__((cleanup(cleanup_##func)))
#define DEFINE_AUTO(type, func)                                                                    \
	static inline void cleanup_##func(type *p)                                                 \
	{                                                                                          \
		int keep = errno;                                                                  \
		if (*p)                                                                            \
			func(*p);                                                                  \
		errno = keep;                                                                      \
	}                                                                                          \
	struct auto_needs_semicolon
/* For structs in the caller's memory: func takes their address. */
#define DEFINE_AUTO_DEINIT(type, func)                                                             \
	static inline void cleanup_##func(type *p)                                                 \
	{                                                                                          \
		int keep = errno;                                                                  \
		func(p);                                                                           \
		errno = keep;                                                                      \
	}                                                                                          \
	struct auto_needs_semicolon

#define steal_ptr(pp)                                                                              \
	__extension__({                                                                            \
		__typeof__(*(pp)) stolen_ = *(pp);                                                 \
		*(pp) = NULL;                                                                      \
		stolen_;                                                                           \
	})

static inline int steal_fd(int *fd)
{
	int stolen = *fd;
	*fd = -1;
	return stolen;
}

static inline void cleanup_free(void *p)
{
	int keep = errno;
	free(*(void **)p);
	errno = keep;
}

static inline void cleanup_fd(const int *fd)
{
	int keep = errno;
	if (*fd >= 0)
		close(*fd);
	errno = keep;
}

static inline void cleanup_file(FILE **f)
{
	int keep = errno;
	if (*f)
		fclose(*f);
	errno = keep;
}

static inline void cleanup_dir(DIR **d)
{
	int keep = errno;
	if (*d)
		closedir(*d);
	errno = keep;
}

#endif
