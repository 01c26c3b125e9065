/* Out of memory at every place: run a piece of code with its 1st, 2nd, 3rd...
 * allocation failing until it succeeds.
 *
 * The linker leads malloc(), realloc(), strdup() and their like of our own
 * objects (and, through base/json.c, jansson's) to wrappers; other threads and
 * the insides of glibc are left alone.
 */
#ifndef TESTS_ALLOC_SWEEP_H
#define TESTS_ALLOC_SWEEP_H

/* Try attempt with each allocation failing, alone and with all after it.
 *
 * attempt  must free what it made and return 0, or -ENOMEM when an allocation
 *          failed; anything else fails the calling test, and so does success in
 *          spite of a failure
 * Returns the number of allocations that a run makes. Leaks are the sanitizer's.
 */
unsigned alloc_sweep(int (*attempt)(void *arg), void *arg);

#endif
