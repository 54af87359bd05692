// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>

namespace slipway {
namespace {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return "InvalidArgument";
    case Code::kNotFound:
      return "NotFound";
    case Code::kAlreadyExists:
      return "AlreadyExists";
    case Code::kFailedPrecondition:
      return "FailedPrecondition";
    case Code::kPermissionDenied:
      return "PermissionDenied";
    case Code::kUnimplemented:
      return "Unimplemented";
    case Code::kUnavailable:
      return "Unavailable";
    case Code::kResourceExhausted:
      return "ResourceExhausted";
    case Code::kDeadlineExceeded:
      return "DeadlineExceeded";
    case Code::kDataLoss:
      return "DataLoss";
    case Code::kInternal:
      return "Internal";
  }
  return "Internal";
}

}  // namespace

ErrorBox::ErrorBox(Error&& error) : error_(new Error(std::move(error))) {}
ErrorBox::ErrorBox(const Error& error) : error_(new Error(error)) {}
ErrorBox::ErrorBox(const ErrorBox& other)
    : error_(other.error_ == nullptr ? nullptr : new Error(*other.error_)) {}

void ErrorBox::Discard() noexcept { delete error_; }

Error Within(std::string_view doing, Error error) {
  if (error.cause.empty()) error.cause = error.message;
  error.message = fmt::format("{}: {}", doing, error.message);
  return error;
}

std::string ErrorId(const Error& error) {
  return error.id.empty() ? std::string(CodeName(error.code)) : error.id;
}

int HttpStatus(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
      return 409;
    case Code::kPermissionDenied:
      return 403;
    case Code::kUnimplemented:
      return 501;
    case Code::kUnavailable:
      return 503;
    case Code::kResourceExhausted:
      return 413;
    case Code::kDeadlineExceeded:
      return 504;
    case Code::kDataLoss:
    case Code::kInternal:
      return 500;
  }
  return 500;
}

Code CodeFromHttpStatus(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return Code::kPermissionDenied;
    case 404:
    case 410:
      return Code::kNotFound;
    case 408:
    case 504:
      return Code::kDeadlineExceeded;
    case 409:
    case 412:
    case 423:
    case 428:
      return Code::kFailedPrecondition;
    case 413:
    case 429:
    case 431:
    case 507:
      return Code::kResourceExhausted;
    case 501:
      return Code::kUnimplemented;
    case 502:
    case 503:
      return Code::kUnavailable;
    default:
      return status >= 400 && status < 500 ? Code::kInvalidArgument : Code::kInternal;
  }
}

int ExitCode(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 2;
    case Code::kNotFound:
      return 3;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
      return 4;
    case Code::kPermissionDenied:
      return 5;
    case Code::kUnavailable:
      return 6;
    case Code::kDeadlineExceeded:
      return 7;
    case Code::kUnimplemented:
    case Code::kResourceExhausted:
    case Code::kDataLoss:
    case Code::kInternal:
      return 1;
  }
  return 1;
}

void CheckFailed(std::string_view condition, std::string_view file, int line) {
  fmt::print(stderr, "{}:{}: check failed: {}\n", file, line, condition);
  std::abort();
}

}  // namespace slipway
