/* sha256 through libcrypto's EVP interface, which picks the fastest code that
 * the processor has. The only file here that sees libcrypto. A failure of an
 * update is sticky, so that streams can be hashed without a check per chunk.
 */
#include "graph/digest.h"

#include <openssl/evp.h>
#include <stdbool.h>

struct digest {
	EVP_MD_CTX *ctx;
	bool failed;
};

struct digest *digest_new(void)
{
	struct digest *digest AUTO(digest_free) = calloc(1, sizeof(*digest));
	if (!digest)
		return NULL;
	digest->ctx = EVP_MD_CTX_new();
	if (!digest->ctx || EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL) != 1)
		return NULL;
	return steal_ptr(&digest);
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->ctx);
	free(digest);
}

void digest_update(struct digest *digest, const void *bytes, size_t len)
{
	if (!digest->failed && EVP_DigestUpdate(digest->ctx, bytes, len) != 1)
		digest->failed = true;
}

int digest_finish(struct digest *digest, char ret_hex[DIGEST_SIZE], struct error *err)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (digest->failed || EVP_DigestFinal_ex(digest->ctx, raw, &len) != 1 ||
	    len != (DIGEST_SIZE - 1) / 2)
		return error_set(err, EIO, "cannot compute a sha256 digest");
	for (unsigned i = 0; i < len; i++) {
		ret_hex[2 * i] = digits[raw[i] >> 4];
		ret_hex[2 * i + 1] = digits[raw[i] & 15];
	}
	ret_hex[2 * len] = '\0';
	return 0;
}

int digest_compute(const void *bytes, size_t len, char ret_hex[DIGEST_SIZE], struct error *err)
{
	struct digest *digest AUTO(digest_free) = digest_new();
	if (!digest)
		return error_set(err, ENOMEM, "out of memory for a digest");
	digest_update(digest, bytes, len);
	return digest_finish(digest, ret_hex, err);
}
