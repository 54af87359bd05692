// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http/http.h"
#include "base/http/request_parser.h"
#include "tests/fuzz/fuzz.h"

namespace slipway::http {
namespace {

constexpr std::int64_t kHeaderBytesMax = 512;

struct Outcome {
  bool done = false;
  int refused = 0;
  std::string method;
  std::string target;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool keep_alive = false;
  std::int64_t content_length = -1;
  bool operator==(const Outcome&) const = default;
};

/// Parses as a connection does that receives `step` bytes at a time.
Outcome Parse(std::string_view bytes, std::size_t step) {
  RequestParser parser(kHeaderBytesMax);
  Outcome outcome;
  std::string held;
  while (!parser.done() && parser.refusal() == nullptr && !bytes.empty()) {
    const std::size_t count = std::min(step, bytes.size());
    held += bytes.substr(0, count);
    bytes.remove_prefix(count);
    for (std::size_t taken = 1; taken > 0 && !held.empty() && !parser.done();) {
      taken = parser.Feed(held, outcome.body);
      SLIPWAY_CHECK(taken <= held.size());
      held.erase(0, taken);
    }
    SLIPWAY_CHECK(parser.refusal() != nullptr || held.size() <= kHeaderBytesMax + step ||
                  parser.done());
  }
  outcome.done = parser.done();
  outcome.refused = parser.refusal() != nullptr ? parser.refusal()->status : 0;
  outcome.method = parser.request().method;
  outcome.target = parser.request().target;
  const Headers& headers = parser.request().headers;
  outcome.fields.assign(headers.begin(), headers.end());
  outcome.keep_alive = parser.header_done() && parser.keep_alive();
  outcome.content_length = parser.content_length();
  return outcome;
}

}  // namespace
}  // namespace slipway::http

// A request that is accepted whole is the same however the network cuts it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Parse(bytes, size + 1);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}}) {
    const Outcome cut = Parse(bytes, step);
    if (!whole.done || whole.refused != 0 || cut.refused == 431) continue;
    SLIPWAY_CHECK(cut == whole);
  }
  return 0;
}
