#include "store/remote/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <string>

namespace rxnf::remote {
namespace {

struct FreeBio {
  void operator()(BIO *p) const { BIO_free(p); }
};
std::unique_ptr<BIO, FreeBio> reader(const std::string &text) {
  return std::unique_ptr<BIO, FreeBio>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string openssl_error() {
  char text[256] = "no reason given";
  if (const unsigned long e = ERR_get_error()) ERR_error_string_n(e, text, sizeof text);
  ERR_clear_error();
  return text;
}

// False when the text holds no certificate.
bool trust(SSL_CTX *context, const std::string &pem) {
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  const auto bio = reader(pem);
  size_t count = 0;
  while (X509 *certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    count += X509_STORE_add_cert(store, certificate) == 1;
    X509_free(certificate);
  }
  ERR_clear_error();  // the end of the text is an error too
  return count > 0;
}

bool identify(SSL_CTX *context, const std::string &certificate, const std::string &key) {
  const auto first = reader(certificate), second = reader(key);
  X509 *c = PEM_read_bio_X509(first.get(), nullptr, nullptr, nullptr);
  EVP_PKEY *k = PEM_read_bio_PrivateKey(second.get(), nullptr, nullptr, nullptr);
  const bool done =
      c && k && SSL_CTX_use_certificate(context, c) == 1 && SSL_CTX_use_PrivateKey(context, k) == 1;
  X509_free(c);
  EVP_PKEY_free(k);
  return done;
}

bool is_address(const std::string &host) {
  uint8_t bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

TlsSocket::TlsSocket(const Endpoint &endpoint) : Socket(endpoint) { prepare(endpoint); }

void TlsSocket::prepare(const Endpoint &endpoint) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return fail("tls", openssl_error());
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context_.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  verify_ = !endpoint.authorities.empty();
  if (verify_ && !trust(context_.get(), endpoint.authorities))
    return fail("tls", "the certificate authorities given hold no certificate");
  if (!endpoint.certificate.empty() &&
      !identify(context_.get(), endpoint.certificate, endpoint.private_key))
    return fail("tls", "the client's certificate or key: " + openssl_error());
  SSL_CTX_set_verify(context_.get(), verify_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  session_.reset(SSL_new(context_.get()));
  if (!session_) return fail("tls", openssl_error());
  const std::string &name = endpoint.server_name.empty() ? endpoint.host : endpoint.server_name;
  if (is_address(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), name.c_str());
  } else {
    SSL_set_tlsext_host_name(session_.get(), name.c_str());
    SSL_set1_host(session_.get(), name.c_str());
  }
}

Transport::State TlsSocket::poll(uint64_t now_ns) {
  if (Socket::poll(now_ns) == State::open && !shaken_) handshake();
  return state() == State::open && !shaken_ ? State::connecting : state();
}

void TlsSocket::handshake() {
  if (!attached_) {
    if (SSL_set_fd(session_.get(), descriptor()) != 1) return fail("tls", openssl_error());
    attached_ = true;
  }
  ERR_clear_error();
  const int result = SSL_connect(session_.get());
  if (result == 1)
    shaken_ = true;
  else
    wrong("handshake", result);
}

size_t TlsSocket::send(std::span<const uint8_t> bytes) {
  if (state() != State::open || !shaken_ || bytes.empty()) return 0;
  ERR_clear_error();
  const int n = SSL_write(session_.get(), bytes.data(),
                          static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX)));
  if (n > 0) return static_cast<size_t>(n);
  wrong("send", n);
  return 0;
}

size_t TlsSocket::receive(std::span<uint8_t> into) {
  if (state() != State::open || !shaken_ || into.empty()) return 0;
  ERR_clear_error();
  const int n = SSL_read(session_.get(), into.data(),
                         static_cast<int>(std::min<size_t>(into.size(), INT_MAX)));
  if (n > 0) return static_cast<size_t>(n);
  wrong("receive", n);
  return 0;
}

// Nothing, when it is only to be tried again.
void TlsSocket::wrong(const char *call, int result) {
  const int error = errno;
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return;
    case SSL_ERROR_ZERO_RETURN:
      return fail(call, "the server closed the connection");
    case SSL_ERROR_SYSCALL:
      return fail(call, error ? std::strerror(error) : "the server closed the connection");
    default:
      break;
  }
  const long verdict = SSL_get_verify_result(session_.get());
  if (verify_ && !shaken_ && verdict != X509_V_OK)
    return fail(call,
                std::string("the server's certificate: ") + X509_verify_cert_error_string(verdict));
  fail(call, openssl_error());
}

}  // namespace rxnf::remote
