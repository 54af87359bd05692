// SPDX-License-Identifier: Apache-2.0
#include "base/http/address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace slipway::http {
namespace {

constexpr std::string_view kUnixPrefix = "unix:", kFdPrefix = "fd:";
constexpr int kBacklog = 4096;

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Error BadAddress(const std::string& address) {
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("cannot listen on '{}': not an address", address),
               .id = "Address.Invalid",
               .fix = "write 127.0.0.1:5001, [::]:5001 or unix:/path"};
}

Error ListenError(const std::string& address, int error_number) {
  Error error = SystemError(fmt::format("cannot listen on {}", address), error_number);
  if (error_number == EADDRINUSE) {
    error.id = "Port.InUse";
    error.fix = "stop the program that listens there or choose another address";
  }
  return error;
}

std::optional<SocketAddress> ParseIp(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end || stop == text.data() + colon + 1) return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  SocketAddress address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto* ip = reinterpret_cast<sockaddr_in6*>(&address.storage);
    ip->sin6_family = AF_INET6;
    ip->sin6_port = htons(port);
    address.size = sizeof(sockaddr_in6);
    host = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, host.c_str(), &ip->sin6_addr) == 1) return address;
    return std::nullopt;
  }
  auto* ip = reinterpret_cast<sockaddr_in*>(&address.storage);
  ip->sin_family = AF_INET;
  ip->sin_port = htons(port);
  address.size = sizeof(sockaddr_in);
  if (::inet_pton(AF_INET, host.c_str(), &ip->sin_addr) == 1) return address;
  return std::nullopt;
}

std::optional<SocketAddress> ParseUnix(std::string_view path) {
  SocketAddress address;
  auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty() || path.size() >= sizeof local->sun_path) return std::nullopt;
  local->sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(local->sun_path), path.data(), path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

/// Whether the file is a socket that nobody listens on any more.
bool IsStaleSocket(const std::string& path, const SocketAddress& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe && ::connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

Result<UniqueFd> Bind(const std::string& name, const SocketAddress& address, bool ipv6_only) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ListenError(name, errno);
  const int on = 1;
  const int only = ipv6_only ? 1 : 0;
  if (address.storage.ss_family != AF_UNIX) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if (address.storage.ss_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (::bind(fd.get(), address.get(), address.size) != 0) return ListenError(name, errno);
  if (::listen(fd.get(), kBacklog) != 0) return ListenError(name, errno);
  return fd;
}

Result<Listener> ListenUnix(const std::string& name) {
  const std::string path = name.substr(kUnixPrefix.size());
  const std::optional<SocketAddress> address = ParseUnix(path);
  if (!address) return BadAddress(name);
  if (IsStaleSocket(path, *address)) ::unlink(path.c_str());
  Listener listener;
  listener.fd = TRY(Bind(name, *address, false));
  listener.family = AF_UNIX;
  listener.address = name;
  return listener;
}

Result<Listener> Inherit(const std::string& name) {
  int number = -1;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kFdPrefix.size(), end, number);
  int listens = 0;
  socklen_t size = sizeof listens;
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  if (error != std::errc() || stop != end || number <= STDERR_FILENO ||
      ::getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0 ||
      ::getsockname(number, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) != 0 ||
      bound.storage.ss_family == AF_UNIX) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("cannot listen on '{}': no TCP socket that listens", name),
                 .id = "Address.Invalid"};
  }
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  Listener listener;
  listener.fd = UniqueFd(number);
  listener.family = bound.storage.ss_family;
  listener.address = FormatPeer(bound.storage);
  return listener;
}

}  // namespace

Listener::~Listener() {
  if (fd && family == AF_UNIX) ::unlink(address.substr(kUnixPrefix.size()).c_str());
}

Result<Listener> Listen(const std::string& address, bool ipv6_only) {
  if (address.starts_with(kUnixPrefix)) return ListenUnix(address);
  if (address.starts_with(kFdPrefix)) return Inherit(address);
  const std::optional<SocketAddress> wanted = ParseIp(address);
  if (!wanted) return BadAddress(address);
  Listener listener;
  listener.fd = TRY(Bind(address, *wanted, ipv6_only));
  listener.family = wanted->storage.ss_family;
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  if (::getsockname(listener.fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size) !=
      0) {
    return ListenError(address, errno);
  }
  listener.address = FormatPeer(bound.storage);
  return listener;
}

std::string FormatPeer(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto* ip = reinterpret_cast<const sockaddr_in*>(&address);
    ::inet_ntop(AF_INET, &ip->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(ip->sin_port));
  }
  if (address.ss_family != AF_INET6) return "unix";
  const auto* ip = reinterpret_cast<const sockaddr_in6*>(&address);
  if (IN6_IS_ADDR_V4MAPPED(&ip->sin6_addr)) {
    ::inet_ntop(AF_INET, &ip->sin6_addr.s6_addr[12], text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(ip->sin6_port));
  }
  ::inet_ntop(AF_INET6, &ip->sin6_addr, text.data(), text.size());
  return fmt::format("[{}]:{}", text.data(), ntohs(ip->sin6_port));
}

}  // namespace slipway::http
