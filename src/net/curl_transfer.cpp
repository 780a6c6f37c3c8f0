#include "net/curl_transfer.h"

#include "base/ascii.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace tus::net {

namespace {

// A server that never ends its head must not fill our memory.
constexpr std::size_t head_limit = std::size_t{256} << 10;

// What curl asks for at once of a body that comes in pieces: fewer, longer sends.
constexpr long upload_buffer = 256L << 10;
// And what it receives at once of one that is read by its caller.
constexpr long download_buffer = 128L << 10;

bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return base::is_alpha(c) || base::is_digit(c) || others.contains(c);
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool has_scheme(std::string_view url, std::string_view scheme) {
  return base::equals_ignoring_case(url.substr(0, scheme.size()), scheme);
}

std::string_view kind_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "no such host";
    case CURLE_COULDNT_CONNECT:
      return "cannot connect";
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return "TLS";
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND:
      return "connection lost";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // of the request it has been checked; so HTTP/0.9, or a redirect
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_BAD_FUNCTION_ARGUMENT:  // a length or a code that is none
      return "not HTTP";
    case CURLE_TOO_MANY_REDIRECTS:
      return "too many redirects";
    default:
      return "failed";
  }
}

}  // namespace

template <class T>
void CurlTransfer::set(CURLoption option, T value) {
  const auto code = curl_easy_setopt(easy_.get(), option, value);
  if (code != CURLE_OK) refused_option_ = code;
}

Status CurlTransfer::prepare(const HttpClientOptions& options) {
  if (!is_token(request_.method)) return fail(ErrorCode::internal, "the method is not a word");
  if (!has_scheme(request_.url, "http://") && !has_scheme(request_.url, "https://"))
    return fail(ErrorCode::internal, "the URL is neither http:// nor https://");
  easy_.reset(curl_easy_init());
  if (!easy_) return fail(ErrorCode::store_unavailable, "out of memory");

  if (auto status = set_fields(); !status) return status;
  set_method();
  set_connection(options);
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_ERRORBUFFER, why_.data());
  set(CURLOPT_HEADERFUNCTION, &CurlTransfer::header_from_curl);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::body_from_curl);
  set(CURLOPT_WRITEDATA, this);
  if (flow_) set_flow();
  if (refused_option_ != CURLE_OK)
    return fail(ErrorCode::internal,
                std::string("libcurl refuses an option: ") + curl_easy_strerror(refused_option_));
  return {};
}

Status CurlTransfer::set_fields() {
  // curl adds these by itself, and nobody has asked: a wait for 100 Continue, the type of HTML forms.
  std::vector<std::string> lines{"Expect:"};
  if (request_.fields.find("Content-Type") == nullptr) lines.emplace_back("Content-Type:");
  for (const auto& [name, value] : request_.fields) {
    if (!is_token(name)) return fail(ErrorCode::internal, "a field's name is not a word");
    if (!is_field_value(value))
      return fail(ErrorCode::internal,
                  "the value of the field " + name + " has control characters");
    const auto trimmed = base::trim(value);
    // "Name:" would tell curl to leave the field out.
    lines.push_back(trimmed.empty() ? name + ";" : name + ": " + std::string(trimmed));
  }
  for (const auto& line : lines) {
    auto* longer = curl_slist_append(fields_.get(), line.c_str());
    if (longer == nullptr) return fail(ErrorCode::store_unavailable, "out of memory");
    (void)fields_.release();
    fields_.reset(longer);
  }
  set(CURLOPT_HTTPHEADER, fields_.get());
  // A list of its own for the proxy: what is meant for the server is not for its eyes.
  set(CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  return {};
}

void CurlTransfer::set_method() {
  const auto& method = request_.method;
  const bool has_body = !request_.body.empty() || pieces_.size() > 0 || flow_size_ ||
                        method == "POST" || method == "PUT";
  if (method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (has_body) {
    set(CURLOPT_POST, 1L);
    set_body();
    if (method != "POST") set(CURLOPT_CUSTOMREQUEST, method.c_str());
  } else if (method != "GET") {
    set(CURLOPT_CUSTOMREQUEST, method.c_str());
  }
  if (request_.max_redirects > 0) {
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, static_cast<long>(request_.max_redirects));
  }
}

void CurlTransfer::set_flow() {
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::flow_from_curl);
  set(CURLOPT_BUFFERSIZE, download_buffer);
  if (!flow_size_) return;
  set(CURLOPT_POSTFIELDS, static_cast<const char*>(nullptr));
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(*flow_size_));
  set(CURLOPT_READFUNCTION, &CurlTransfer::flow_to_curl);
  set(CURLOPT_READDATA, this);
  set(CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer);
}

void CurlTransfer::set_body() {
  if (flow_size_) return;
  if (pieces_.size() == 0) {
    set(CURLOPT_POSTFIELDS, request_.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    return;
  }
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(pieces_.size()));
  set(CURLOPT_READFUNCTION, &CurlTransfer::body_to_curl);
  set(CURLOPT_READDATA, this);
  set(CURLOPT_SEEKFUNCTION, &CurlTransfer::seek_from_curl);
  set(CURLOPT_SEEKDATA, this);
  set(CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer);
}

void CurlTransfer::set_connection(const HttpClientOptions& options) {
  set(CURLOPT_NOSIGNAL, 1L);
  // A transfer that is given up while a name is looked up must not wait for the thread that does it.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_USERAGENT, "tusd");
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  const auto stall = static_cast<long>(request_.stall.count());
  if (stall > 0) {
    // From there on the loop watches: curl looks at the average of five seconds.
    set(CURLOPT_CONNECTTIMEOUT, stall);
  } else {
    // The deadline ends what takes too long.
    set(CURLOPT_CONNECTTIMEOUT_MS, 24L * 3600 * 1000);
  }
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (options.tls.skip_verify) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const auto& ca_file = options.tls.ca_file;
  if (!ca_file.empty()) set(CURLOPT_CAINFO, ca_file.c_str());
  // One file of CAs is read once and kept; with a directory beside it, it would be read for every connection, on
  // the loop, and the CAs of the directory would be believed, too.
  if (!ca_file.empty() || curl_version_info(CURLVERSION_NOW)->cainfo != nullptr)
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  // An empty one also keeps curl from looking into the environment.
  const auto& proxies = options.proxies;
  const auto& proxy = has_scheme(request_.url, "https://") ? proxies.https : proxies.http;
  set(CURLOPT_PROXY, proxy.c_str());
  set(CURLOPT_NOPROXY, proxies.without.c_str());
}

void CurlTransfer::on_header(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    // The head of another reply: after an interim one, a redirect, or the answer of a proxy.
    reply_.fields = {};
    head_is_complete_ = false;
  } else if (line.empty()) {
    head_is_complete_ = true;
    if (flow_) tell_head();
  } else if (!head_is_complete_) {  // else it belongs to the trailers
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    reply_.fields.add(std::string(line.substr(0, colon)),
                      std::string(base::trim(line.substr(colon + 1))));
  }
}

void CurlTransfer::tell_head() {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return;
  HttpHead head;
  head.status = static_cast<int>(status);
  head.fields = reply_.fields;
  flow_->set_head(std::move(head));
}

bool CurlTransfer::on_body(std::string_view bytes) {
  const auto room = request_.reply_limit - reply_.body.size();
  reply_.body += bytes.substr(0, room);
  overlong_ = bytes.size() > room;
  return !overlong_;
}

// Exceptions must not go through curl; what these return ends the transfer.
std::size_t CurlTransfer::header_from_curl(char* data, std::size_t size, std::size_t count,
                                           void* self) try {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  transfer.head_size_ += size * count;
  if (transfer.head_size_ > head_limit) return 0;
  transfer.on_header({data, size * count});
  return size * count;
} catch (const std::exception&) {
  return 0;
}

std::size_t CurlTransfer::body_from_curl(char* data, std::size_t size, std::size_t count,
                                         void* self) try {
  // Also when nothing came: anything but what came is an error to curl.
  return static_cast<CurlTransfer*>(self)->on_body({data, size * count}) ? size * count
                                                                         : CURL_WRITEFUNC_ERROR;
} catch (const std::exception&) {
  return CURL_WRITEFUNC_ERROR;
}

std::size_t CurlTransfer::body_to_curl(char* into, std::size_t size, std::size_t count,
                                       void* self) {
  auto& pieces = static_cast<CurlTransfer*>(self)->pieces_;
  const auto given = pieces.read(std::as_writable_bytes(std::span(into, size * count)));
  return given.value_or(CURL_READFUNC_ABORT);
}

std::size_t CurlTransfer::flow_to_curl(char* into, std::size_t size, std::size_t count,
                                       void* self) try {
  std::size_t given = 0;
  switch (static_cast<CurlTransfer*>(self)->flow_->take(
      std::as_writable_bytes(std::span(into, size * count)), given)) {
    case CallFlow::Taken::some:
      return given;
    case CallFlow::Taken::pause:
      return CURL_READFUNC_PAUSE;
    case CallFlow::Taken::abort:
      break;
  }
  return CURL_READFUNC_ABORT;
} catch (const std::exception&) {
  return CURL_READFUNC_ABORT;
}

std::size_t CurlTransfer::flow_from_curl(char* data, std::size_t size, std::size_t count,
                                         void* self) try {
  auto& flow = *static_cast<CurlTransfer*>(self)->flow_;
  return flow.put(std::as_bytes(std::span(data, size * count))) ? size * count
                                                                : CURL_WRITEFUNC_PAUSE;
} catch (const std::exception&) {
  return CURL_WRITEFUNC_ERROR;
}

int CurlTransfer::seek_from_curl(void* self, curl_off_t offset, int origin) {
  auto& pieces = static_cast<CurlTransfer*>(self)->pieces_;
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_FAIL;
  pieces.rewind();
  return CURL_SEEKFUNC_OK;
}

Result<HttpReply> CurlTransfer::outcome(CURLcode code) {
  if (overlong_) {
    if (request_.overlong == Overlong::is_error)
      return fail(ErrorCode::store_unavailable, "too large: the reply's body has more than " +
                                                    std::to_string(request_.reply_limit) +
                                                    " bytes");
    reply_.cut = true;
    code = CURLE_OK;
  }
  if (head_size_ > head_limit)
    return fail(ErrorCode::store_unavailable, "too large: the reply's head has no end");
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    reply_.status = static_cast<int>(status);
    return std::move(reply_);
  }
  const std::string_view said = why_.data();
  auto detail = std::string(kind_of(code)) + ": " +
                std::string(said.empty() ? curl_easy_strerror(code) : said);
  const bool is_unfit = code == CURLE_URL_MALFORMAT;
  return fail(is_unfit ? ErrorCode::internal : ErrorCode::store_unavailable, std::move(detail));
}

std::optional<curl_off_t> CurlTransfer::moved() const noexcept {
  curl_off_t ready = 0;
  curl_off_t up = 0;
  curl_off_t down = 0;
  long heads_up = 0;
  long heads_down = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_PRETRANSFER_TIME_T, &ready);
  if (ready == 0) return std::nullopt;
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &up);
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_DOWNLOAD_T, &down);
  curl_easy_getinfo(easy_.get(), CURLINFO_REQUEST_SIZE, &heads_up);
  curl_easy_getinfo(easy_.get(), CURLINFO_HEADER_SIZE, &heads_down);
  return up + down + heads_up + heads_down;
}

std::string_view CurlTransfer::stage() const noexcept {
  curl_off_t ready = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_PRETRANSFER_TIME_T, &ready);
  if (ready == 0) return "there was no connection yet";
  return head_is_complete_ ? "the reply was not complete" : "there was no reply yet";
}

void CurlTransfer::finish(Result<HttpReply> result) {
  if (finished()) return;
  easy_.reset();
  if (flow_) flow_->finish(result ? Status() : Status(fail(result.error())));
  result_.emplace(std::move(result));
  done_.set();
}

}  // namespace tus::net
