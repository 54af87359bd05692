// SPDX-License-Identifier: Apache-2.0
#include "runtime/server/json_tensor.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tests/fuzz/fuzz.h"

namespace {

using slipway::runtime::DType;

constexpr std::array kTypes = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kInt64,
                               DType::kUint8,   DType::kBool,    DType::kString};

std::string Written(const slipway::runtime::Tensor& tensor) {
  std::string text;
  SLIPWAY_CHECK(slipway::server::AppendNested(tensor, text).has_value());
  return text;
}

/// With a tab behind each value, which has every number read in the general way.
std::string Tabbed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == ']') out += '\t';
    out += c;
  }
  return out;
}

/// What reads one way reads the other way, to the same elements.
void CheckBothWays(std::string_view text, DType dtype) {
  if (text.find('"') != std::string_view::npos) return;
  const std::string tabbed = Tabbed(text);
  slipway::server::JsonReader quick(text), general(tabbed);
  const auto one = slipway::server::ReadNested(quick, dtype);
  const auto other = slipway::server::ReadNested(general, dtype);
  SLIPWAY_CHECK(one.has_value() == other.has_value());
  if (!one) return;
  SLIPWAY_CHECK(one->shape() == other->shape());
  SLIPWAY_CHECK(Written(*one) == Written(*other));
}

}  // namespace

// The first byte chooses the element type. What reads can be written, and reads back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  if (size == 0) return 0;
  const DType dtype = kTypes[data[0] % kTypes.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  CheckBothWays(text, dtype);
  server::JsonReader reader(text);
  const Result<runtime::Tensor> tensor = server::ReadNested(reader, dtype);
  if (!tensor) {
    SLIPWAY_CHECK(!tensor.error().message.empty());
    return 0;
  }
  const std::string written = Written(*tensor);
  server::JsonReader rereader(written);
  const Result<runtime::Tensor> again = server::ReadNested(rereader, dtype);
  SLIPWAY_CHECK(again.has_value());
  SLIPWAY_CHECK(rereader.Finish().has_value());
  SLIPWAY_CHECK(again->shape() == tensor->shape());
  SLIPWAY_CHECK(Written(*again) == written);
  return 0;
}
