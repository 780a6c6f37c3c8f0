#include "net/scripted_server_test_kit.h"

#include "base/ascii.h"
#include "net/broken_pipe_guard.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <utility>

namespace tus::net::test {

namespace {

Fd bound_socket(std::uint16_t& port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!fd || ::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0)
    throw std::runtime_error("no port");
  port = ntohs(address.sin_port);
  return fd;
}

std::size_t length_of_body(const SeenRequest& request) {
  const auto text = request.field("Content-Length");
  return text.empty() ? 0 : std::stoul(text);
}

// Reads one request; nothing at the end of the connection.
std::optional<SeenRequest> next_request(Peer& peer, std::string& buffer, Bodies bodies) {
  SeenRequest request;
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    const auto more = peer.read();
    if (more.empty()) return std::nullopt;
    buffer += more;
  }
  request.head = buffer.substr(0, end + 2);
  request.line = request.head.substr(0, request.head.find("\r\n"));
  buffer.erase(0, end + 4);
  const auto length = bodies == Bodies::are_read ? length_of_body(request) : 0;
  while (buffer.size() < length) {
    const auto more = peer.read();
    if (more.empty()) return std::nullopt;
    buffer += more;
  }
  request.body = buffer.substr(0, length);
  buffer.erase(0, length);
  return request;
}

void add_extension(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  auto* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

// ---- requests, connections ----

std::vector<std::string> SeenRequest::values(std::string_view name) const {
  std::vector<std::string> found;
  std::string_view rest = head;
  while (!rest.empty()) {
    const auto end = rest.find("\r\n");
    const auto field_line = rest.substr(0, end);
    const auto colon = field_line.find(':');
    if (colon != std::string_view::npos &&
        base::equals_ignoring_case(field_line.substr(0, colon), name))
      found.emplace_back(base::trim(field_line.substr(colon + 1)));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  }
  return found;
}

std::string SeenRequest::field(std::string_view name) const {
  std::string joined;
  for (const auto& value : values(name)) joined += (joined.empty() ? "" : "|") + value;
  return joined;
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = tls_ != nullptr
                          ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                          : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Peer::reply(int status, std::string_view body, std::string_view type) {
  std::string bytes = "HTTP/1.1 " + std::to_string(status) + " Said So\r\n";
  if (!type.empty()) bytes += "Content-Type: " + std::string(type) + "\r\n";
  if (status != 204) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  bytes += "\r\n";
  bytes += body;
  return send(bytes);
}

void Peer::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void Peer::hold() {
  while (!read().empty()) {
  }
}

std::string Peer::read() {
  std::string bytes(65536, '\0');
  const auto got = tls_ != nullptr ? SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                   : ::recv(fd_, bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

// ---- certificates ----

TestCertificate::TestCertificate() : context_(SSL_CTX_new(TLS_server_method())) {
  auto* key = EVP_EC_gen("P-256");
  auto* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600);
  X509_set_pubkey(certificate, key);
  auto* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX_use_certificate(context_, certificate);
  SSL_CTX_use_PrivateKey(context_, key);

  auto* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(memory, &text);
  pem_.assign(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

TestCertificate::~TestCertificate() { SSL_CTX_free(context_); }

// ---- the server ----

ScriptedServer::ScriptedServer(Script script, const TestCertificate* certificate, Bodies bodies)
    : script_(std::move(script)),
      certificate_(certificate),
      bodies_(bodies),
      listening_(bound_socket(port_)) {
  if (::listen(listening_.get(), 512) != 0) throw std::runtime_error("cannot listen");
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedServer::~ScriptedServer() { stop(); }

std::string ScriptedServer::url(std::string_view path) const {
  return std::string(certificate_ != nullptr ? "https" : "http") +
         "://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

void ScriptedServer::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
  }
  acceptor_.join();
  listening_.reset();
  {
    std::lock_guard lock(mutex_);
    for (auto& fd : connections_) {
      if (fd) ::shutdown(fd.get(), SHUT_RDWR);
    }
  }
  for (auto& thread : threads_) thread.join();
}

void ScriptedServer::accept_all() {
  while (true) {
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    std::lock_guard lock(mutex_);
    const int number = ++accepted_;
    auto& connection = connections_.emplace_back(fd);
    threads_.emplace_back([this, number, &connection] {
      serve(connection.get(), number);
      std::lock_guard closing(mutex_);
      connection.reset();
    });
  }
}

void ScriptedServer::serve(int fd, int number) {
  if (certificate_ == nullptr) {
    converse(fd, number, nullptr);
    return;
  }
  const BrokenPipeGuard guard;
  auto* tls = SSL_new(certificate_->context());
  SSL_set_fd(tls, fd);
  if (SSL_accept(tls) == 1) converse(fd, number, tls);
  SSL_free(tls);
}

void ScriptedServer::converse(int fd, int number, ssl_st* tls) {
  Peer peer(fd, tls);
  std::string buffer;
  while (auto request = next_request(peer, buffer, bodies_)) {
    ++requests_;
    request->connection = number;
    if (script_(peer, *request) == Then::close) return;
  }
}

SilentPort::SilentPort() : bound_(bound_socket(port_)) {}

}  // namespace tus::net::test
