// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace slipway {

/// What kind of failure it is, chosen for the caller's decision: it alone gives the HTTP status,
/// the exit code and whether to try again.
enum class Code : std::uint8_t {
  kInvalidArgument,     ///< the caller's input is wrong and stays wrong
  kNotFound,            ///< the named thing does not exist
  kAlreadyExists,       ///< the name is taken
  kFailedPrecondition,  ///< right input, wrong state: conflict, etag mismatch, still in use
  kPermissionDenied,    ///< not allowed, or no valid credentials
  kUnimplemented,       ///< valid, but this build cannot do it
  kUnavailable,         ///< may work when tried again
  kResourceExhausted,   ///< a limit was met: size, memory, disk, queue
  kDeadlineExceeded,    ///< it took longer than allowed
  kDataLoss,            ///< stored data is damaged
  kInternal,            ///< a bug of ours, or the machine's
};

/// Why something failed. Built once where the cause is known; every hop may say what it was
/// doing with `Within`.
struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;   ///< one line, lower case, what and with which value
  std::string id = {};   ///< stable dotted name such as `Model.NotFound`; empty: derived from code
  std::string fix = {};  ///< what the user can do, one line; may be empty
  std::string cause = {};  ///< the innermost message, set by the first `Within`
};

/// Adds what the caller was doing: `Within("loading model.onnx", error)`.
Error Within(std::string_view doing, Error error);

/// The stable dotted name of an error: its `id`, or one derived from its code (`NotFound`).
std::string ErrorId(const Error& error);

/// RFC 9110 status that answers a request which failed with `code`.
int HttpStatus(Code code);

/// Code that best describes a failed HTTP status; `kInternal` for a status below 400.
Code CodeFromHttpStatus(int status);

/// Process exit status: 1 failed, 2 wrong use, 3 not found, 4 conflict, 5 not allowed,
/// 6 unavailable, 7 timed out.
int ExitCode(Code code);

/// An error on its way up to whom it concerns: one pointer, so that results are small and a call
/// that succeeds pays for none of it. Copies are deep.
class ErrorBox {
 public:
  ErrorBox() = default;
  explicit ErrorBox(Error&& error);
  explicit ErrorBox(const Error& error);
  ErrorBox(const ErrorBox& other);
  ErrorBox(ErrorBox&& other) noexcept : error_(std::exchange(other.error_, nullptr)) {}
  ErrorBox& operator=(ErrorBox other) noexcept {
    std::swap(error_, other.error_);
    return *this;
  }
  ~ErrorBox() {
    if (error_ != nullptr) [[unlikely]]
      Discard();
  }
  explicit operator bool() const { return error_ != nullptr; }
  Error& operator*() const {
    assert(error_ != nullptr);
    return *error_;
  }

 private:
  void Discard() noexcept;

  Error* error_ = nullptr;
};

/// A value or the reason there is none. Same members as std::expected, plus [[nodiscard]].
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : has_value_(true), value_(std::move(value)) {}
  Result(Error&& error) : has_value_(false), error_(std::move(error)) {}
  Result(const Error& error) : has_value_(false), error_(error) {}
  Result(ErrorBox error) : has_value_(false), error_(std::move(error)) {}
  Result(const Result& other) requires std::is_copy_constructible_v<T>
      : has_value_(other.has_value_) {
    Construct(other);
  }
  Result(Result&& other) noexcept : has_value_(other.has_value_) { Construct(std::move(other)); }
  Result& operator=(Result other) noexcept {
    Destroy();
    has_value_ = other.has_value_;
    Construct(std::move(other));
    return *this;
  }
  ~Result() { Destroy(); }
  bool has_value() const { return has_value_; }
  explicit operator bool() const { return has_value_; }
  T& operator*() & {
    assert(has_value());
    return value_;
  }
  const T& operator*() const& {
    assert(has_value());
    return value_;
  }
  T&& operator*() && {
    assert(has_value());
    return std::move(value_);
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  const Error& error() const& {
    assert(!has_value());
    return *error_;
  }
  Error&& error() && {
    assert(!has_value());
    return std::move(*error_);
  }
  /// The error as it is handed on; what TRY returns.
  ErrorBox&& box() && {
    assert(!has_value());
    return std::move(error_);
  }

 private:
  template <class Other>
  void Construct(Other&& other) {
    if (has_value_) {
      std::construct_at(&value_, std::forward<Other>(other).value_);
    } else {
      std::construct_at(&error_, std::forward<Other>(other).error_);
    }
  }
  void Destroy() {
    if (has_value_) {
      value_.~T();
    } else {
      error_.~ErrorBox();
    }
  }

  bool has_value_;
  union {
    T value_;
    ErrorBox error_;
  };
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error&& error) : error_(std::move(error)) {}
  Result(const Error& error) : error_(error) {}
  Result(ErrorBox error) : error_(std::move(error)) {}
  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  void operator*() && {}
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }
  ErrorBox&& box() && { return std::move(error_); }

 private:
  ErrorBox error_;
};

/// Stops the program with `message`; for broken invariants that must not go on in a release.
[[noreturn]] void CheckFailed(std::string_view condition, std::string_view file, int line);

}  // namespace slipway

/// Value of a Result, or return its error from this function. Bind what it gives to a value,
/// never to a reference. Not for coroutines.
#define TRY(...)                           \
  __extension__({                          \
    auto&& try_result_ = (__VA_ARGS__);    \
    if (!try_result_) [[unlikely]]         \
      return std::move(try_result_).box(); \
    *std::move(try_result_);               \
  })

/// Stops the program in every build when an invariant of ours does not hold. Never for input.
#define SLIPWAY_CHECK(condition)                              \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::slipway::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)
