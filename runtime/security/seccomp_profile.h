/* Docker's default system call policy as data, free of libseccomp. Private to
 * seccomp.c and its tests.
 */
#ifndef RUNTIME_SECURITY_SECCOMP_PROFILE_H
#define RUNTIME_SECURITY_SECCOMP_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/* Allowed to everybody: names separated by blanks. */
extern const char seccomp_allowed[];

/* Allowed to who has one of these capabilities. */
struct seccomp_cap_rule {
	uint64_t caps;
	const char *names;
};
extern const struct seccomp_cap_rule seccomp_cap_rules[];
extern const size_t seccomp_cap_rule_count;

/* Values of the only argument (personality) or the first one (socket). */
extern const uint64_t seccomp_personalities[];
extern const size_t seccomp_personality_count;
extern const uint16_t seccomp_socket_domains[];
extern const size_t seccomp_socket_domain_count;

/* System calls that libseccomp 2.5 cannot name. From 424 on a call has the same
 * number on every architecture, which is what makes this table possible. */
struct seccomp_number {
	uint16_t number;
	uint64_t caps; /* 0: allowed to everybody */
};
#define SECCOMP_FIRST_NEW 457
#define SECCOMP_LAST_KNOWN 466
extern const struct seccomp_number seccomp_new_calls[];
extern const size_t seccomp_new_call_count;

#endif
