// SPDX-License-Identifier: Apache-2.0
#include "base/http/server.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "base/http/address.h"
#include "base/http/exchange.h"
#include "base/http/io_loop.h"
#include "base/http/rate_guard.h"
#include "base/log.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
using Socket = asio::generic::stream_protocol::socket;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kHeaderRoom = 4 << 10;
constexpr std::size_t kBodyRoom = 64 << 10;
constexpr std::chrono::milliseconds kLingerTime{1000};
constexpr std::chrono::milliseconds kDrainLingerTime{100};
/// What a connection made just before the server drains has for its first request.
constexpr std::chrono::milliseconds kFreshGrace{250};
constexpr std::chrono::milliseconds kAcceptPause{50};
constexpr std::chrono::milliseconds kTickMin{5};
constexpr std::chrono::milliseconds kTickMax{250};

std::int64_t Nanoseconds(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// One client's connection. Its coroutine runs on the executor of its socket, and may answer a
/// quick request there; while a pool thread has the request, the coroutine sleeps and that thread
/// alone uses the exchange.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, std::string peer, ServerShared& shared, IoLoop& loop)
      : loop_(loop),
        socket_(std::move(socket)),
        pool_done_timer_(socket_.get_executor(), asio::steady_timer::time_point::max()),
        shared_(shared),
        exchange_(socket_.native_handle(), std::move(peer), shared) {}

  /// Serves until the connection is closed.
  asio::awaitable<void> Run();

  /// Ends a wait whose deadline has passed. From any thread.
  void CloseIfOverdue(SteadyTime now);
  /// Closes the connection if it is between requests. From any thread.
  void CloseIfIdle();
  /// Ends everything on the connection. From any thread.
  void Abort();

 private:
  using PoolWork = void (Exchange::*)();
  static constexpr std::int64_t kNoDeadline = INT64_MAX;

  asio::awaitable<void> ServeOne();
  void LookForRequest();
  asio::awaitable<void> ReadHeader(bool idle);
  asio::awaitable<void> ReadBody(bool awaits_continue);
  asio::awaitable<void> ReadSome(std::size_t room);
  void AnswerHere();
  asio::awaitable<void> AnswerOnPool();
  asio::awaitable<void> StreamOut();
  asio::awaitable<void> WriteOut();
  asio::awaitable<void> WaitForPool();
  asio::awaitable<void> LingerAndClose();

  bool StartOnPool(HandlerPool& pool, PoolWork work);
  void SetDeadline(std::chrono::milliseconds from_now);
  void ClearDeadline() { deadline_ns_ = kNoDeadline; }
  void ShutDown();

  IoLoop& loop_;
  Socket socket_;
  asio::steady_timer pool_done_timer_;
  ServerShared& shared_;
  Exchange exchange_;
  std::optional<RateGuard> write_rate_;
  bool pool_done_ = false;
  bool timed_out_ = false;
  std::atomic<std::int64_t> deadline_ns_ = kNoDeadline;
  std::atomic<bool> idle_ = true;
  bool fresh_ = true;  // nothing has been received yet
};

asio::awaitable<void> Connection::Run() {
  try {
    while (!exchange_.closing() && !exchange_.broken()) co_await ServeOne();
    if (!exchange_.broken()) co_await LingerAndClose();
  } catch (const std::exception& error) {
    log::Failure("connection failed", {{"error", error.what()}});
  }
  ErrorCode ignored;
  socket_.close(ignored);
}

/// A request that has come whole, is answered here and whose answer the socket takes at once passes
/// through without a wait.
asio::awaitable<void> Connection::ServeOne() {
  exchange_.BeginRequest();
  LookForRequest();
  const bool idle = exchange_.input().empty();
  if (idle || !exchange_.ParseHeader()) co_await ReadHeader(idle);
  if (exchange_.broken()) co_return;
  if (!exchange_.answered()) exchange_.Admit();
  if (!exchange_.answered() && !exchange_.streams()) {
    const bool awaits_continue = exchange_.AwaitsContinue();
    if (awaits_continue || !exchange_.ParseBody()) co_await ReadBody(awaits_continue);
  }
  if (exchange_.broken()) co_return;
  write_rate_.reset();
  if (!exchange_.answered() && loop_.MayAnswer() && exchange_.IsQuick()) {
    AnswerHere();
    // Requests that lie ready behind this one must not keep other connections waiting.
    if (!exchange_.input().empty()) {
      co_await asio::post(socket_.get_executor(), asio::use_awaitable);
    }
  } else if (!exchange_.answered()) {
    co_await AnswerOnPool();
  }
  if (exchange_.HasOutput()) co_await WriteOut();
  exchange_.ClearOutput();
  if (exchange_.HasStream()) co_await StreamOut();
  exchange_.EndRequest();
}

/// Takes a request that comes close behind the one before without going to sleep for it.
void Connection::LookForRequest() {
  InputBuffer& input = exchange_.input();
  if (fresh_ || !input.empty() || shared_.draining) return;
  input.Filled(loop_.LookAt(this, socket_.native_handle(), input.Room(kHeaderRoom)));
}

asio::awaitable<void> Connection::ReadHeader(bool idle) {
  idle_ = idle;
  SetDeadline(idle ? shared_.options.idle_timeout : shared_.options.header_timeout);
  if (fresh_ && shared_.draining) SetDeadline(kFreshGrace);
  while (!exchange_.ParseHeader()) {
    if (idle_ && !fresh_ && shared_.draining) exchange_.Break();
    if (exchange_.broken()) break;
    co_await ReadSome(kHeaderRoom);
    if (exchange_.broken()) break;
    if (timed_out_ && idle_) exchange_.Break();
    if (timed_out_) {
      exchange_.RefuseTimeout("request header did not come in time");
      break;
    }
    fresh_ = false;
    if (idle_.exchange(false)) SetDeadline(shared_.options.header_timeout);
  }
  ClearDeadline();
  idle_ = false;
}

asio::awaitable<void> Connection::ReadBody(bool awaits_continue) {
  const ServerOptions& options = shared_.options;
  RateGuard rate(options.body_bytes_per_second_min, options.body_timeout);
  if (awaits_continue) {
    exchange_.PrepareContinue();
    co_await WriteOut();
  }
  while (!exchange_.broken() && !exchange_.ParseBody()) {
    const SteadyTime start = std::chrono::steady_clock::now();
    const std::size_t held = exchange_.input().held().size();
    SetDeadline(options.body_timeout);
    co_await ReadSome(kBodyRoom);
    ClearDeadline();
    rate.Add(std::chrono::steady_clock::now() - start,
             static_cast<std::int64_t>(exchange_.input().held().size() - held));
    if (timed_out_ || rate.TooSlow()) {
      exchange_.RefuseTimeout("request body came too slowly");
      break;
    }
  }
}

asio::awaitable<void> Connection::ReadSome(std::size_t room) {
  const std::span<char> to = exchange_.input().Room(room);
  ErrorCode error;
  const std::size_t got = co_await socket_.async_read_some(
      asio::buffer(to.data(), to.size()), asio::redirect_error(asio::use_awaitable, error));
  exchange_.input().Filled(got);
  if (error && !timed_out_) exchange_.Break();
}

void Connection::AnswerHere() {
  const IoLoop::Turn turn(loop_, this);
  exchange_.Answer();
}

asio::awaitable<void> Connection::AnswerOnPool() {
  HandlerPool& pool = exchange_.streams() ? shared_.streams : shared_.handlers;
  if (StartOnPool(pool, &Exchange::Answer)) {
    co_await WaitForPool();
  } else {
    exchange_.AnswerBusy();
  }
}

asio::awaitable<void> Connection::StreamOut() {
  while (exchange_.HasStream() && !exchange_.broken()) {
    if (StartOnPool(shared_.streams, &Exchange::PumpOnPool)) {
      co_await WaitForPool();
      co_await WriteOut();
    } else {
      exchange_.Break();
    }
  }
}

bool Connection::StartOnPool(HandlerPool& pool, PoolWork work) {
  pool_done_ = false;
  return pool.Submit([self = shared_from_this(), work] {
    (self->exchange_.*work)();
    asio::post(self->socket_.get_executor(), [self] {
      self->pool_done_ = true;
      self->pool_done_timer_.cancel();
    });
  });
}

asio::awaitable<void> Connection::WaitForPool() {
  while (!pool_done_) {
    ErrorCode ignored;
    co_await pool_done_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

asio::awaitable<void> Connection::WriteOut() {
  const ServerOptions& options = shared_.options;
  if (!write_rate_) write_rate_.emplace(options.body_bytes_per_second_min, options.body_timeout);
  while (exchange_.HasOutput() && !exchange_.broken()) {
    const auto rest = exchange_.Unsent();
    const std::array<asio::const_buffer, 2> buffers = {
        asio::const_buffer(rest[0].data(), rest[0].size()),
        asio::const_buffer(rest[1].data(), rest[1].size())};
    const SteadyTime start = std::chrono::steady_clock::now();
    SetDeadline(options.body_timeout);
    ErrorCode error;
    const std::size_t sent = co_await socket_.async_write_some(
        buffers, asio::redirect_error(asio::use_awaitable, error));
    ClearDeadline();
    exchange_.Sent(sent);
    write_rate_->Add(std::chrono::steady_clock::now() - start, static_cast<std::int64_t>(sent));
    if (error || write_rate_->TooSlow()) exchange_.Break();
  }
  exchange_.ClearOutput();
}

/// Lets the client read the last response before the connection goes: closing with unread input
/// would reset it.
asio::awaitable<void> Connection::LingerAndClose() {
  ErrorCode error;
  socket_.shutdown(Socket::shutdown_send, error);
  SetDeadline(shared_.draining ? kDrainLingerTime : kLingerTime);
  while (!timed_out_ && !exchange_.broken()) {
    exchange_.input().Take(exchange_.input().held().size());
    co_await ReadSome(kBodyRoom);
  }
  ClearDeadline();
}

void Connection::SetDeadline(std::chrono::milliseconds from_now) {
  timed_out_ = false;
  deadline_ns_ = Nanoseconds(std::chrono::steady_clock::now() + from_now);
}

void Connection::CloseIfOverdue(SteadyTime now) {
  if (Nanoseconds(now) < deadline_ns_) return;
  asio::post(socket_.get_executor(), [self = shared_from_this(), now] {
    if (Nanoseconds(now) < self->deadline_ns_) return;
    self->timed_out_ = true;
    ErrorCode ignored;
    self->socket_.cancel(ignored);
  });
}

void Connection::CloseIfIdle() {
  if (!idle_) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (!self->idle_) return;
    if (self->fresh_) {
      self->SetDeadline(kFreshGrace);
    } else {
      self->ShutDown();
    }
  });
}

void Connection::Abort() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->ShutDown(); });
}

void Connection::ShutDown() {
  if (socket_.is_open()) ::shutdown(socket_.native_handle(), SHUT_RDWR);
}

/// How often deadlines are looked at.
std::chrono::milliseconds TickOf(const ServerOptions& options) {
  const auto shortest =
      std::min({options.header_timeout, options.idle_timeout, options.body_timeout});
  return std::clamp(shortest / 8, kTickMin, kTickMax);
}

std::string PeerOf(Socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(socket.native_handle(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return "unknown";
  }
  return FormatPeer(address);
}

/// Tells a client that there is no room for it.
void TurnAway(Socket& socket) {
  constexpr std::string_view kBusy =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n"
      "Retry-After: 1\r\n\r\n";
  const int fd = socket.native_handle();
  ::send(fd, kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(fd, SHUT_WR);
  std::array<char, 4096> unread{};
  while (::recv(fd, unread.data(), unread.size(), MSG_DONTWAIT) > 0) {
  }
}

Result<void> CheckOptions(const ServerOptions& options) {
  if (!options.listen.empty() && options.io_threads > 0 && options.handler_threads > 0 &&
      options.queue_max >= 0 && options.connections_max > 0) {
    return {};
  }
  return Error{.code = Code::kInvalidArgument,
               .message = "a server needs an address, threads and connections"};
}

/// On a core alone, who looks for requests would keep them from being made.
std::vector<std::unique_ptr<IoLoop>> MakeLoops(const ServerOptions& options,
                                               std::atomic<bool>& looking) {
  std::vector<std::unique_ptr<IoLoop>> loops;
  const bool answers = options.quick != nullptr;
  for (int i = 0; i < std::max(1, options.io_threads); ++i) {
    loops.push_back(std::make_unique<IoLoop>(answers, options.io_threads > 1 ? &looking : nullptr));
  }
  return loops;
}

/// For one connection: what runs there never runs at the same time as itself.
asio::any_io_executor NewExecutor(IoLoop& loop) {
  if (!loop.answers()) return loop.context().get_executor();
  return asio::make_strand(loop.context());
}

class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, Handler handler)
      : shared_(std::move(options), std::move(handler)),
        loops_(MakeLoops(shared_.options, looking_)),
        control_(asio::make_strand(loops_.front()->context())),
        tick_(control_) {}
  ~ServerImpl() override;
  ServerImpl(const ServerImpl&) = delete;
  ServerImpl& operator=(const ServerImpl&) = delete;

  Result<void> Open();
  std::vector<std::string> addresses() const override { return addresses_; }
  void Leave() override { shared_.leaving = true; }
  void Drain() override;
  std::int64_t connections() const override;

 private:
  using ConnectionList = std::list<std::shared_ptr<Connection>>;
  struct Port {
    std::optional<Listener> listener;
    std::unique_ptr<Acceptor> acceptor;
  };

  Result<Port> OpenPort(const std::string& address, bool ipv6_only);
  asio::awaitable<void> Accept(Acceptor& acceptor);
  asio::awaitable<void> Serve(ConnectionList::iterator place);
  asio::awaitable<void> WatchDeadlines();
  void Begin(Socket socket, IoLoop& loop);
  void ClosePorts();

  ServerShared shared_;
  std::atomic<bool> looking_ = false;
  const std::vector<std::unique_ptr<IoLoop>> loops_;
  asio::strand<asio::io_context::executor_type> control_;  // of ports_ and tick_
  asio::steady_timer tick_;
  std::vector<Port> ports_;
  std::vector<std::string> addresses_;
  mutable std::mutex mutex_;  // guards connections_, ports_closed_ and drained_
  std::condition_variable changed_;
  ConnectionList connections_;
  bool ports_closed_ = false;
  bool drained_ = false;
  bool started_ = false;
};

ServerImpl::~ServerImpl() {
  Drain();
  shared_.handlers.Stop();
  shared_.streams.Stop();
  asio::post(control_, [this] { tick_.cancel(); });
  for (const auto& loop : loops_) loop->Finish();
}

Result<void> ServerImpl::Open() {
  TRY(CheckOptions(shared_.options));
  const std::vector<std::string>& wanted = shared_.options.listen;
  const bool has_ipv4 = std::any_of(wanted.begin(), wanted.end(), [](const std::string& address) {
    return !address.starts_with("unix:") && !address.starts_with('[');
  });
  for (const std::string& address : wanted) {
    Port port = TRY(OpenPort(address, has_ipv4));
    addresses_.push_back(port.listener->address);
    ports_.push_back(std::move(port));
  }
  for (Port& port : ports_) asio::co_spawn(control_, Accept(*port.acceptor), asio::detached);
  asio::co_spawn(control_, WatchDeadlines(), asio::detached);
  for (const auto& loop : loops_) loop->Start();
  started_ = true;
  return {};
}

Result<ServerImpl::Port> ServerImpl::OpenPort(const std::string& address, bool ipv6_only) {
  Port port;
  port.listener = TRY(Listen(address, ipv6_only));
  port.acceptor = std::make_unique<Acceptor>(control_);
  // The acceptor has a descriptor of its own, so that each owner closes one.
  const int fd = ::fcntl(port.listener->fd.get(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return SystemError(fmt::format("cannot listen on {}", address), errno);
  ErrorCode error;
  port.acceptor->assign(asio::generic::stream_protocol(port.listener->family, 0), fd, error);
  if (error) return SystemError(fmt::format("cannot listen on {}", address), error.value());
  return port;
}

asio::awaitable<void> ServerImpl::Accept(Acceptor& acceptor) {
  for (std::size_t next = 0; !shared_.draining; ++next) {
    IoLoop& loop = *loops_[next % loops_.size()];
    Socket socket(NewExecutor(loop));
    ErrorCode error;
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (!error) {
      Begin(std::move(socket), loop);
    } else if (error != asio::error::connection_aborted) {
      log::Warn("cannot accept a connection", {{"error", error.message()}});
      asio::steady_timer pause(control_, kAcceptPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

void ServerImpl::Begin(Socket socket, IoLoop& loop) {
  const int on = 1;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connections() >= shared_.options.connections_max) {
    TurnAway(socket);
    return;
  }
  const asio::any_io_executor executor = socket.get_executor();
  std::string peer = PeerOf(socket);
  auto connection = std::make_shared<Connection>(std::move(socket), std::move(peer), shared_, loop);
  ConnectionList::iterator place;
  {
    const std::lock_guard lock(mutex_);
    place = connections_.insert(connections_.end(), std::move(connection));
  }
  asio::co_spawn(executor, Serve(place), asio::detached);
}

asio::awaitable<void> ServerImpl::Serve(ConnectionList::iterator place) {
  co_await (*place)->Run();
  std::shared_ptr<Connection> ended;  // goes when the lock is gone
  const std::lock_guard lock(mutex_);
  ended = std::move(*place);
  connections_.erase(place);
  changed_.notify_all();
}

asio::awaitable<void> ServerImpl::WatchDeadlines() {
  while (true) {
    tick_.expires_after(TickOf(shared_.options));
    ErrorCode error;
    co_await tick_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    const SteadyTime now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (drained_ && connections_.empty()) co_return;
    for (const std::shared_ptr<Connection>& connection : connections_) {
      connection->CloseIfOverdue(now);
    }
  }
}

std::int64_t ServerImpl::connections() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(connections_.size());
}

void ServerImpl::ClosePorts() {
  for (Port& port : ports_) {
    ErrorCode ignored;
    port.acceptor->close(ignored);
    port.listener.reset();
  }
  // Connections accepted before this are begun before what is posted here.
  asio::post(control_, [this] {
    const std::lock_guard lock(mutex_);
    ports_closed_ = true;
    changed_.notify_all();
  });
}

void ServerImpl::Drain() {
  if (!shared_.draining.exchange(true)) {
    asio::post(control_, [this] { ClosePorts(); });
  }
  std::unique_lock lock(mutex_);
  if (started_) changed_.wait(lock, [this] { return ports_closed_; });
  for (const std::shared_ptr<Connection>& connection : connections_) connection->CloseIfIdle();
  const auto is_empty = [this] { return connections_.empty(); };
  if (!changed_.wait_for(lock, shared_.options.drain_timeout, is_empty)) {
    for (const std::shared_ptr<Connection>& connection : connections_) connection->Abort();
  }
  drained_ = true;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler handler) {
  auto server = std::make_unique<ServerImpl>(std::move(options), std::move(handler));
  TRY(server->Open());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace slipway::http
