/* The system call filter: the policy of seccomp_profile.c compiled by libseccomp
 * for the native architecture and those whose programs it runs too.
 *
 * Compiling takes 2-12 ms and a start takes one, so a program is kept per set of
 * capabilities, as far as they change the policy, for the life of the engine,
 * and in a file whose name is a digest of everything that goes into it: another
 * policy, libseccomp or architecture asks for another file. A file that is torn
 * or too short is made anew. The cache directory is ours alone (0700): what is in
 * it is believed.
 *
 * In front of libseccomp's program stand some instructions of our own, for calls
 * that this libseccomp cannot name.
 *
 * Source: seccomp_rule_add(3), seccomp(2), linux/filter.h.
 */
#include "runtime/security/seccomp_profile.h"
#include "runtime/security/security.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

/* Raise it when the meaning of this file changes but none of its data. */
#define FORMAT 1
#define MAGIC UINT64_C(0x6270662d6d6f6331)
/* The kernel's own bound on a program, BPF_MAXINSNS. */
#define COUNT_MAX 4096
#define X32_BIT 0x40000000
#define NAMESPACE_FLAGS                                                                            \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)
#ifdef __s390x__
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

struct program {
	struct program *next;
	uint64_t key;
	struct sock_filter *filter;
	size_t count;
};

/* Only ever grows, so that what was given out stays. */
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static struct program *cache; /* guarded by cache_lock */

struct file_header {
	uint64_t magic, key, count, sum;
};

static uint64_t hash(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}
#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Capabilities that change nothing must not make another program. */
static uint64_t relevant_caps(uint64_t caps)
{
	uint64_t used = 0;

	for (size_t i = 0; i < seccomp_cap_rule_count; i++)
		used |= seccomp_cap_rules[i].caps;
	for (size_t i = 0; i < seccomp_new_call_count; i++)
		used |= seccomp_new_calls[i].caps;
	return caps & used;
}

static uint64_t make_key(uint64_t caps)
{
	const struct scmp_version *version = seccomp_version();
	uint64_t head[] = { FORMAT,         caps,           version->major,
			    version->minor, version->micro, seccomp_arch_native() };
	uint64_t sum = hash(HASH_START, head, sizeof(head));

	sum = hash(sum, seccomp_allowed, strlen(seccomp_allowed));
	for (size_t i = 0; i < seccomp_cap_rule_count; i++)
		sum = hash(sum, seccomp_cap_rules[i].names, strlen(seccomp_cap_rules[i].names));
	sum = hash(sum, seccomp_socket_domains,
		   seccomp_socket_domain_count * sizeof(seccomp_socket_domains[0]));
	for (size_t i = 0; i < seccomp_new_call_count; i++)
		sum = hash(sum, &seccomp_new_calls[i].number, sizeof(uint16_t));
	return sum;
}

/* Allow the calls of a blank-separated list. A name that libseccomp does not know, or
 * that no architecture of the filter has, is no failure. */
static int allow_names(scmp_filter_ctx ctx, const char *names)
{
	while (*names) {
		size_t len = strcspn(names, " ");
		char name[64];
		int number, ret = 0;

		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		number = seccomp_syscall_resolve_name(name);
		if (number != __NR_SCMP_ERROR)
			ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
		if (ret < 0 && ret != -EEXIST)
			return ret;
		names += len;
		names += strspn(names, " ");
	}
	return 0;
}

static int allow_values(scmp_filter_ctx ctx)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < seccomp_personality_count; i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
				       SCMP_A0_64(SCMP_CMP_EQ, seccomp_personalities[i], 0));
	for (size_t i = 0; ret == 0 && i < seccomp_socket_domain_count; i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				       SCMP_A0_64(SCMP_CMP_EQ, seccomp_socket_domains[i], 0));
	return ret;
}

/* Without CAP_SYS_ADMIN clone may not make namespaces. The flags of clone3 lie in
 * memory where no filter sees them: "no such call" makes libraries use clone. */
static int allow_clone(scmp_filter_ctx ctx, uint64_t caps)
{
	int ret;

	if (caps & (UINT64_C(1) << CAP_SYS_ADMIN))
		return 0;
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			       SCMP_CMP64(CLONE_FLAGS_ARG, SCMP_CMP_MASKED_EQ,
					  (scmp_datum_t)NAMESPACE_FLAGS, (scmp_datum_t)0));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return ret;
}

static int add_arches(scmp_filter_ctx ctx)
{
	static const uint32_t compat[] = {
#if defined(__x86_64__)
		SCMP_ARCH_X86,
		SCMP_ARCH_X32,
#elif defined(__aarch64__)
		SCMP_ARCH_ARM,
#elif defined(__s390x__)
		SCMP_ARCH_S390,
#else
		SCMP_ARCH_NATIVE,
#endif
	};

	for (size_t i = 0; i < sizeof(compat) / sizeof(compat[0]); i++) {
		int ret = seccomp_arch_add(ctx, compat[i]);

		if (ret < 0 && ret != -EEXIST)
			return ret;
	}
	return 0;
}

static int add_rules(scmp_filter_ctx ctx, uint64_t caps)
{
	int ret = add_arches(ctx);

	if (ret == 0)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (ret == 0)
		ret = allow_names(ctx, seccomp_allowed);
	for (size_t i = 0; ret == 0 && i < seccomp_cap_rule_count; i++)
		if (caps & seccomp_cap_rules[i].caps)
			ret = allow_names(ctx, seccomp_cap_rules[i].names);
	if (ret == 0)
		ret = allow_values(ctx);
	if (ret == 0)
		ret = allow_clone(ctx, caps);
	return ret;
}

static struct sock_filter statement(uint16_t code, uint32_t k)
{
	return (struct sock_filter)BPF_STMT(code, k);
}

static struct sock_filter jump(uint16_t code, uint32_t k, size_t if_true, size_t if_false)
{
	return (struct sock_filter)BPF_JUMP(code, k, (uint8_t)if_true, (uint8_t)if_false);
}

/* Calls from SECCOMP_FIRST_NEW on: the table says yes or no, what is newer still does
 * not exist. The others, and x32's, go on to libseccomp's program. */
static void append_prefix(struct strbuf *out, uint64_t caps)
{
	struct sock_filter list[64];
	size_t n = 0, calls = 0, end;

	for (size_t i = 0; i < seccomp_new_call_count; i++)
		calls += !seccomp_new_calls[i].caps || caps & seccomp_new_calls[i].caps;
	end = 7 + calls;
	list[n++] = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	list[n] = jump(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, end - n - 1, 0);
	n++;
	list[n] = jump(BPF_JMP | BPF_JGE | BPF_K, SECCOMP_FIRST_NEW, 0, end - n - 1);
	n++;
	for (size_t i = 0; i < seccomp_new_call_count; i++) {
		if (seccomp_new_calls[i].caps && !(caps & seccomp_new_calls[i].caps))
			continue;
		list[n] = jump(BPF_JMP | BPF_JEQ | BPF_K, seccomp_new_calls[i].number,
			       end - 1 - n - 1, 0);
		n++;
	}
	list[n++] = jump(BPF_JMP | BPF_JGT | BPF_K, SECCOMP_LAST_KNOWN, 1, 0);
	list[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	list[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	list[n++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	strbuf_append(out, list, n * sizeof(list[0]));
}

/* libseccomp 2.5 gives its program to a descriptor only. */
static int append_export(struct strbuf *out, scmp_filter_ctx ctx)
{
	auto_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	off_t size;
	int ret = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

	if (ret < 0)
		return ret;
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || !strbuf_reserve(out, (size_t)size))
		return -ENOMEM;
	if (path_pread_full(fd, out->data + out->len, (size_t)size, 0) != size)
		return -EIO;
	out->len += (size_t)size;
	return 0;
}

static int compile(uint64_t caps, struct strbuf *out, struct error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int ret = ctx ? add_rules(ctx, caps) : -ENOMEM;

	append_prefix(out, caps);
	if (ret == 0)
		ret = append_export(out, ctx);
	seccomp_release(ctx);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot compile the system call filter");
	if (out->len / sizeof(struct sock_filter) > COUNT_MAX)
		return error_set(err, EIO, "the system call filter is too long");
	return strbuf_check(out, err);
}

static void make_name(uint64_t key, char ret_name[64])
{
	snprintf(ret_name, 64, "seccomp-%08" PRIx32 "-%016" PRIx64 ".bpf", seccomp_arch_native(),
		 key);
}

/* The program from the cache directory, with its header; false when there is none
 * that is whole. */
static bool read_cached(int dir_fd, uint64_t key, struct strbuf *out)
{
	size_t limit = sizeof(struct file_header) + COUNT_MAX * sizeof(struct sock_filter);
	AUTO(strbuf_deinit) struct strbuf file = STRBUF_INIT;
	struct file_header header;
	char name[64];

	make_name(key, name);
	if (dir_fd < 0 || path_read_file(dir_fd, name, limit, &file, NULL) < 0 ||
	    file.len <= sizeof(header))
		return false;
	memcpy(&header, file.data, sizeof(header));
	if (header.magic != MAGIC || header.key != key ||
	    header.count != (file.len - sizeof(header)) / sizeof(struct sock_filter) ||
	    (file.len - sizeof(header)) % sizeof(struct sock_filter) != 0 ||
	    header.sum != hash(HASH_START, file.data + sizeof(header), file.len - sizeof(header)))
		return false;
	strbuf_append(out, file.data + sizeof(header), file.len - sizeof(header));
	return !out->oom;
}

/* Best effort: without the file the next engine compiles again. */
static void write_cached(int dir_fd, uint64_t key, const struct strbuf *program)
{
	AUTO(strbuf_deinit) struct strbuf file = STRBUF_INIT;
	struct file_header header = { MAGIC, key, program->len / sizeof(struct sock_filter),
				      hash(HASH_START, program->data, program->len) };
	char name[64];

	make_name(key, name);
	strbuf_append(&file, &header, sizeof(header));
	strbuf_append(&file, program->data, program->len);
	if (dir_fd >= 0 && !file.oom)
		path_replace_file(dir_fd, name, file.data, file.len, 0600, false, NULL);
}

static int add_program_locked(uint64_t caps, uint64_t key, int cache_dir_fd, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_free struct program *program = calloc(1, sizeof(*program));
	int ret;

	if (!program)
		return error_set(err, ENOMEM, "no memory for the system call filter");
	if (!read_cached(cache_dir_fd, key, &text)) {
		strbuf_reset(&text);
		ret = compile(caps, &text, err);
		if (ret < 0)
			return ret;
		write_cached(cache_dir_fd, key, &text);
	}
	program->key = key;
	program->count = text.len / sizeof(struct sock_filter);
	program->filter = calloc(program->count, sizeof(struct sock_filter));
	if (!program->filter)
		return error_set(err, ENOMEM, "no memory for the system call filter");
	memcpy(program->filter, text.data, text.len);
	program->next = cache;
	cache = steal_ptr(&program);
	return 0;
}

static const struct program *find_locked(uint64_t key)
{
	const struct program *program = cache;

	while (program && program->key != key)
		program = program->next;
	return program;
}

int security_get_seccomp(uint64_t caps, int cache_dir_fd, const struct sock_filter **ret,
			 size_t *ret_count, struct error *err)
{
	uint64_t used = relevant_caps(caps), key = make_key(used);
	const struct program *program;
	int result = 0;

	pthread_mutex_lock(&cache_lock);
	program = find_locked(key);
	if (!program) {
		result = add_program_locked(used, key, cache_dir_fd, err);
		program = cache;
	}
	pthread_mutex_unlock(&cache_lock);
	if (result < 0)
		return result;
	*ret = program->filter;
	*ret_count = program->count;
	return 0;
}
