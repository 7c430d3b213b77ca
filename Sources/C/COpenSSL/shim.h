// OpenSSL 3.0 for Swift. Swift cannot import function-like macros, nor constants made by them: those stand here as inline functions.
// So do OpenSSL's plain SHA-1 calls, which 3.0 marks as deprecated: theirs are the only states that copy without an allocation.
#ifndef COPENSSL_SHIM_H
#define COPENSSL_SHIM_H

#include <sys/time.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

static inline EVP_PKEY *shim_EVP_EC_gen_P256(void) { return EVP_EC_gen("P-256"); }

static inline int shim_SSL_CTX_set_protocol_range(SSL_CTX *context, int lowest, int highest) {
    return SSL_CTX_set_min_proto_version(context, lowest) == 1 && SSL_CTX_set_max_proto_version(context, highest) == 1;
}
static inline int shim_SSL_CTX_set1_groups_list(SSL_CTX *context, const char *list) {
    return (int)SSL_CTX_set1_groups_list(context, list);
}
static inline void shim_SSL_CTX_disable_session_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
static inline void shim_SSL_CTX_set_max_cert_list(SSL_CTX *context, long bytes) {
    SSL_CTX_set_max_cert_list(context, bytes);
}
static inline int shim_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}
/// No renegotiation, no tickets, no compression, the server's order of ciphers.
static inline void shim_SSL_CTX_set_house_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
}
static inline void shim_SSL_set_fixed_mtu(SSL *connection, long bytes) {
    SSL_set_options(connection, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(connection, bytes);
}
static inline int shim_SSL_set_tlsext_host_name(SSL *connection, const char *name) {
    return (int)SSL_set_tlsext_host_name(connection, name);
}
static inline int shim_SSL_set_ex_value(SSL *connection, void *value) { return SSL_set_app_data(connection, value); }
static inline void *shim_SSL_get_ex_value(const SSL *connection) { return SSL_get_app_data(connection); }

/// 1 and the time left when a retransmission is due at some time, otherwise 0.
static inline int shim_DTLSv1_get_timeout(SSL *connection, struct timeval *left) {
    return (int)DTLSv1_get_timeout(connection, left);
}
static inline int shim_DTLSv1_handle_timeout(SSL *connection) { return (int)DTLSv1_handle_timeout(connection); }

static inline void shim_BIO_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void shim_BIO_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline BIO *shim_BIO_new_file_for_reading(const char *path) { return BIO_new_file(path, "r"); }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static inline int shim_SHA1_Init(SHA_CTX *state) { return SHA1_Init(state); }
static inline int shim_SHA1_Update(SHA_CTX *state, const void *bytes, size_t count) { return SHA1_Update(state, bytes, count); }
static inline int shim_SHA1_Final(unsigned char *digest, SHA_CTX *state) { return SHA1_Final(digest, state); }
#pragma GCC diagnostic pop

#endif
