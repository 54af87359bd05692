// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "workspace/answers.h"

namespace slipway::workspace {
namespace {

struct Part {
  std::int64_t begin = 0, size = 0;
};

/// Part of a file as a stream.
class FilePart final : public http::Reader {
 public:
  FilePart(UniqueFd fd, Part part) : fd_(std::move(fd)), at_(part.begin), left_(part.size) {}

  Result<std::size_t> Read(std::span<std::byte> buffer) override {
    const auto wanted = std::min<std::int64_t>(left_, static_cast<std::int64_t>(buffer.size()));
    if (wanted == 0) return std::size_t{0};
    ssize_t got = 0;
    do {
      got = ::pread(fd_.get(), buffer.data(), static_cast<std::size_t>(wanted), at_);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return SystemError("reading a file to send", errno);
    if (got == 0) {
      return Error{.code = Code::kDataLoss, .message = "a file to send became shorter"};
    }
    at_ += got;
    left_ -= got;
    return static_cast<std::size_t>(got);
  }

 private:
  UniqueFd fd_;
  std::int64_t at_, left_;
};

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc() || stop != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

/// The part that one `bytes=a-b`, `bytes=a-` or `bytes=-n` means. Nothing for a field that is to
/// be ignored: another unit, several parts, no syntax. A part of size 0 cannot be satisfied.
std::optional<Part> ReadRange(std::string_view field, std::int64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (field.substr(0, kUnit.size()) != kUnit) return std::nullopt;
  const std::string_view range = Trim(field.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos || range.find(',') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> first = Number(range.substr(0, dash));
  const std::optional<std::int64_t> last = Number(range.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    const std::int64_t count = std::min(*last, size);
    return Part{size - count, count};
  }
  const bool open_ended = dash + 1 == range.size();
  if (!first || (!last && !open_ended) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return Part{0, 0};
  const std::int64_t end = open_ended ? size : std::min(*last, size - 1) + 1;
  return Part{*first, end - *first};
}

}  // namespace

Result<http::Response> FileResponse(const Call& call, const std::filesystem::path& file,
                                    const FileResponseOptions& options) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return SystemError("opening " + file.filename().string(), errno);
  if (options.remove_after) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SystemError(file.filename().string(), errno);
  const auto size = static_cast<std::int64_t>(info.st_size);
  http::Response response;
  response.headers.Set("Content-Type", options.content_type);
  response.headers.Set("Accept-Ranges", "bytes");
  if (!options.etag.empty()) response.headers.Set("ETag", "\"" + options.etag + "\"");
  Part part{0, size};
  const std::optional<Part> range = ReadRange(call.request.headers.Get("Range"), size);
  if (range && range->size == 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("range {} is not within {} bytes",
                                        call.request.headers.Get("Range"), size),
                 .id = "Blob.Range"};
  }
  if (range) {
    part = *range;
    response.status = 206;
    response.headers.Set("Content-Range", fmt::format("bytes {}-{}/{}", part.begin,
                                                      part.begin + part.size - 1, size));
  }
  response.body_size = part.size;
  response.body_reader = std::make_shared<FilePart>(std::move(fd), part);
  return response;
}

}  // namespace slipway::workspace
