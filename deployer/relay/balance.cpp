// SPDX-License-Identifier: Apache-2.0
#include "deployer/relay/balance.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace slipway::deployer {
namespace {

constexpr std::int64_t kWeightMax = 1'000'000;

Result<void> CheckUpstream(const Upstream& upstream) {
  if (!upstream.url.starts_with("http://")) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format("upstream \"{}\" does not begin with http://", upstream.url)};
  }
  if (upstream.weight >= 1 && upstream.weight <= kWeightMax) return {};
  return Error{.code = Code::kInvalidArgument,
               .message = fmt::format("weight {} of {} is not in 1 to {}", upstream.weight,
                                      upstream.url, kWeightMax)};
}

}  // namespace

Balance::Balance(const std::vector<Upstream>& upstreams) {
  for (const Upstream& upstream : upstreams) {
    turns_.push_back({.upstream = upstream});
    total_ += upstream.weight;
  }
}

std::string Balance::Next() {
  if (turns_.empty()) return {};
  for (Turn& turn : turns_) turn.credit += turn.upstream.weight;
  const auto most =
      std::max_element(turns_.begin(), turns_.end(),
                       [](const Turn& a, const Turn& b) { return a.credit < b.credit; });
  most->credit -= total_;
  return most->upstream.url;
}

bool Balance::Has(std::string_view url) const {
  return std::any_of(turns_.begin(), turns_.end(),
                     [url](const Turn& turn) { return turn.upstream.url == url; });
}

Result<Upstream> ParseUpstream(std::string_view text) {
  Upstream upstream{.url = std::string(text)};
  const std::size_t equals = text.rfind('=');
  if (equals != std::string_view::npos) {
    upstream.url = std::string(text.substr(0, equals));
    const char* const first = text.data() + equals + 1;
    const char* const last = text.data() + text.size();
    const auto [end, failure] = std::from_chars(first, last, upstream.weight);
    if (failure != std::errc() || end != last) upstream.weight = 0;
  }
  TRY(CheckUpstream(upstream));
  return upstream;
}

std::string UpstreamText(const Upstream& upstream) {
  return fmt::format("{}={}", upstream.url, upstream.weight);
}

Json ToJson(const std::vector<Upstream>& upstreams) {
  Json list = Json::array();
  for (const Upstream& upstream : upstreams) {
    list.push_back({{"url", upstream.url}, {"weight", upstream.weight}});
  }
  return list;
}

Result<std::vector<Upstream>> UpstreamsFromJson(const Json& json) {
  if (!json.is_array() || json.empty()) {
    return Error{.code = Code::kInvalidArgument,
                 .message = "upstreams are no list, or an empty one"};
  }
  std::vector<Upstream> upstreams;
  for (const Json& item : json) {
    TRY(OnlyKnownFields(item, {"url", "weight"}));
    Upstream upstream;
    upstream.url = TRY(GetString(item, "url"));
    upstream.weight = TRY(GetInt(item, "weight"));
    TRY(CheckUpstream(upstream));
    upstreams.push_back(std::move(upstream));
  }
  return upstreams;
}

}  // namespace slipway::deployer
