/* Batches over a routing socket. The kernel works on all messages of one send in turn, in
 * the sender's own system call, and queues an answer (NLMSG_ERROR) for each: so all answers
 * are there when send returns. With extended answers (Linux 4.12) they tell what was wrong
 * in words. Source: netlink(7), rtnetlink(7).
 */
#include "net/netlink.h"

#include "base/strbuf.h"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWERS_SIZE 32768

struct netlink {
	struct nl_sock *sock;
	uint32_t seq;
	uint32_t asked; /* of the last message that libnl sent by itself */
};

struct netlink_answer {
	struct netlink_batch *batch;
	uint32_t first_seq;
	size_t left;
	int ret;
};

/* libnl counts its own questions, and is out of step for good when one of them could not be
 * sent or its answer not be read. So we do it: an answer to an earlier question is passed over. */
static int note_question(struct nl_msg *message, void *arg)
{
	((struct netlink *)arg)->asked = nlmsg_hdr(message)->nlmsg_seq;
	return NL_OK;
}

static int check_answer(struct nl_msg *message, void *arg)
{
	return nlmsg_hdr(message)->nlmsg_seq == ((struct netlink *)arg)->asked ? NL_OK : NL_SKIP;
}

int netlink_open(struct netlink **ret, struct error *err)
{
	struct netlink *netlink AUTO(netlink_close) = calloc(1, sizeof(*netlink));
	int one = 1, r;

	if (netlink)
		netlink->sock = nl_socket_alloc();
	if (!netlink || !netlink->sock)
		return error_set(err, ENOMEM, "no memory for a netlink socket");
	r = nl_connect(netlink->sock, NETLINK_ROUTE);
	if (r < 0)
		return error_set(err, EIO, "cannot open a netlink socket: %s", nl_geterror(r));
	nl_socket_modify_cb(netlink->sock, NL_CB_MSG_OUT, NL_CB_CUSTOM, note_question, netlink);
	nl_socket_modify_cb(netlink->sock, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, check_answer, netlink);
	/* Without it there are only numbers. */
	(void)setsockopt(nl_socket_get_fd(netlink->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one,
			 sizeof(one));
	*ret = steal_ptr(&netlink);
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	nl_socket_free(netlink->sock);
	free(netlink);
}

struct nl_sock *netlink_get_sock(struct netlink *netlink)
{
	return netlink->sock;
}

/* --- building -------------------------------------------------------------------- */

struct nl_msg *netlink_add(struct netlink_batch *batch, int type, int flags, const void *header,
			   size_t header_len, const char *what)
{
	struct nl_msg *message = NULL;

	if (batch->count < NETLINK_BATCH_MAX)
		message = nlmsg_alloc_simple(type, flags | NLM_F_REQUEST | NLM_F_ACK);
	if (!message) {
		batch->failed = true;
		return NULL;
	}
	batch->what[batch->count] = what;
	batch->fine[batch->count] = 0;
	batch->messages[batch->count++] = message;
	/* libnl does not change it, and does not say so. */
	netlink_check(batch,
		      nlmsg_append(message, (void *)(uintptr_t)header, header_len, NLMSG_ALIGNTO));
	return message;
}

void netlink_check(struct netlink_batch *batch, int ret)
{
	if (ret < 0)
		batch->failed = true;
}

void netlink_allow(struct netlink_batch *batch, int code)
{
	if (batch->count > 0)
		batch->fine[batch->count - 1] = code;
}

static void empty_batch(struct netlink_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		nlmsg_free(batch->messages[i]);
	*batch = (struct netlink_batch){ .count = 0 };
}

/* --- sending --------------------------------------------------------------------- */

static int send_bytes(struct netlink *netlink, struct netlink_batch *batch, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf bytes = STRBUF_INIT;
	static const char zeros[NLMSG_ALIGNTO];
	ssize_t sent;

	for (size_t i = 0; i < batch->count; i++) {
		struct nlmsghdr *header = nlmsg_hdr(batch->messages[i]);

		header->nlmsg_seq = netlink->seq + (uint32_t)i;
		strbuf_append(&bytes, header, header->nlmsg_len);
		strbuf_append(&bytes, zeros, NLMSG_ALIGN(header->nlmsg_len) - header->nlmsg_len);
	}
	if (strbuf_check(&bytes, err) < 0)
		return -ENOMEM;
	do
		sent = send(nl_socket_get_fd(netlink->sock), bytes.data, bytes.len, 0);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? error_set_sys(err, errno, "cannot ask the kernel about networks") : 0;
}

/* The kernel's words, or NULL. They come behind the header of the request that the answer
 * repeats (all of it, unless NLM_F_CAPPED). */
static const char *find_words(struct nlmsghdr *header)
{
	struct nlmsgerr *answer = nlmsg_data(header);
	size_t skip = sizeof(*answer);
	struct nlattr *attr;

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += answer->msg.nlmsg_len - sizeof(answer->msg);
	attr = nlmsg_find_attr(header, (int)skip, NLMSGERR_ATTR_MSG);
	return attr ? nla_get_string(attr) : NULL;
}

static void take_answer(struct netlink_answer *state, struct nlmsghdr *header, struct error *err)
{
	struct nlmsgerr *answer = nlmsg_data(header);
	size_t which = header->nlmsg_seq - state->first_seq;
	const char *words;

	/* An answer to an earlier call that was cut short. */
	if (header->nlmsg_type != NLMSG_ERROR || which >= state->batch->count)
		return;
	state->left--;
	if (answer->error == 0 || -answer->error == state->batch->fine[which] || state->ret < 0)
		return;
	state->ret = answer->error;
	words = find_words(header);
	if (words)
		error_set(err, -answer->error, "cannot %s: %s", state->batch->what[which], words);
	else
		error_set_sys(err, -answer->error, "cannot %s", state->batch->what[which]);
}

static int read_answers(struct netlink *netlink, struct netlink_batch *batch, struct error *err)
{
	struct netlink_answer state = { .batch = batch,
					.first_seq = netlink->seq,
					.left = batch->count };
	auto_free char *bytes = malloc(ANSWERS_SIZE);

	if (!bytes)
		return error_set(err, ENOMEM, "no memory for the kernel's answers");
	while (state.left > 0) {
		ssize_t got = recv(nl_socket_get_fd(netlink->sock), bytes, ANSWERS_SIZE, 0);
		int rest = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_sys(err, errno, "cannot read the kernel's answer");
		for (struct nlmsghdr *header = (struct nlmsghdr *)bytes; nlmsg_ok(header, rest);
		     header = nlmsg_next(header, &rest))
			take_answer(&state, header, err);
	}
	return state.ret;
}

int netlink_send(struct netlink *netlink, struct netlink_batch *batch, struct error *err)
{
	int ret = 0;

	if (batch->failed)
		ret = error_set(err, ENOMEM, "no memory for a request to the kernel");
	if (ret == 0 && batch->count > 0)
		ret = send_bytes(netlink, batch, err);
	if (ret == 0 && batch->count > 0) {
		ret = read_answers(netlink, batch, err);
		netlink->seq += (uint32_t)batch->count;
	}
	empty_batch(batch);
	return ret;
}
