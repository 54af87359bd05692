// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "runtime/c_api.h"

namespace slipway::runtime {
namespace {

Error Refused(std::string message) {
  return {.code = Code::kInvalidArgument, .message = std::move(message)};
}

/// Memory that slipway_text_release gives back.
char* CopyText(std::string_view text) {
  char* copy = new char[text.size() + 1];
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

/// A string tensor, or why `value` is none.
Result<const Tensor*> StringsOf(const slipway_value* value) {
  const Tensor* tensor = value == nullptr ? nullptr : value->value.tensor();
  if (tensor == nullptr || tensor->dtype() != DType::kString) {
    return Refused("the value is no string tensor");
  }
  return tensor;
}

Result<void> SetStrings(slipway_value* value, const char* text, const int64_t* offsets) {
  TRY(StringsOf(value));
  if (offsets == nullptr) return NullArgument("offsets");
  const auto elements = value->value.tensor()->data<std::string>();
  if (offsets[0] < 0 || !std::is_sorted(offsets, offsets + elements.size() + 1)) {
    return Refused("the offsets do not ascend from 0 or more");
  }
  if (text == nullptr && offsets[elements.size()] > 0) return NullArgument("text");
  for (size_t i = 0; i < elements.size(); ++i) {
    elements[i] =
        text == nullptr ? std::string() : std::string(text + offsets[i], text + offsets[i + 1]);
  }
  return {};
}

Result<void> GetStrings(const slipway_value* value, char** text, int64_t* offsets) {
  const Tensor* tensor = TRY(StringsOf(value));
  if (text == nullptr || offsets == nullptr) return NullArgument("text or offsets");
  std::string all;
  std::vector<int64_t> begins = {0};
  for (const std::string& element : tensor->data<std::string>()) {
    all += element;
    begins.push_back(static_cast<int64_t>(all.size()));
  }
  *text = CopyText(all);
  std::ranges::copy(begins, offsets);
  return {};
}

Error Apart(std::string message) {
  return {.code = Code::kFailedPrecondition, .message = std::move(message)};
}

/// A type whose elements can be placed one by one, as that of the first item.
Result<DType> ItemType(const std::vector<Value>& items) {
  const Tensor* first = items.empty() ? nullptr : items.front().tensor();
  if (first != nullptr && DTypeBits(first->dtype()) % 8 == 0) return first->dtype();
  return Apart("the items are no numbers or text");
}

/// Places the items from element `at` on, where each is one element of the type of `all`.
Result<void> PlaceItems(const std::vector<Value>& items, size_t at, Tensor& all) {
  for (size_t i = 0; i < items.size(); ++i, ++at) {
    const Tensor* item = items[i].tensor();
    if (item == nullptr || item->size() != 1 || item->dtype() != all.dtype()) {
      return Apart("item " + std::to_string(i) + " is not one element like the first");
    }
    if (item->dtype() == DType::kString) {
      all.data<std::string>()[at] = item->data<std::string>()[0];
    } else {
      const auto bytes = static_cast<size_t>(item->bytes());
      std::memcpy(static_cast<std::byte*>(all.raw()) + at * bytes, item->raw(), bytes);
    }
  }
  return {};
}

/// The items as a tensor [count], where each is one element of one type.
Result<Tensor> StackItems(const std::vector<Value>& items) {
  const DType dtype = TRY(ItemType(items));
  Tensor all = TRY(Tensor::Make(dtype, {static_cast<std::int64_t>(items.size())}));
  TRY(PlaceItems(items, 0, all));
  return all;
}

bool SameKeys(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.size() != b.size()) return false;
  if (a.raw() == b.raw()) return true;
  if (a.dtype() != DType::kString) return std::ranges::equal(a.raw_bytes(), b.raw_bytes());
  return std::ranges::equal(a.data<std::string>(), b.data<std::string>());
}

/// The items of maps that share their keys, as a tensor [maps, count].
Result<Tensor> StackMaps(const std::vector<Value>& maps) {
  const Map* first = maps.empty() ? nullptr : maps.front().map();
  if (first == nullptr) return Apart("the value is no sequence of maps");
  const DType dtype = TRY(ItemType(first->items));
  const size_t count = first->items.size();
  Tensor all = TRY(Tensor::Make(
      dtype, {static_cast<std::int64_t>(maps.size()), static_cast<std::int64_t>(count)}));
  for (size_t i = 0; i < maps.size(); ++i) {
    const Map* map = maps[i].map();
    if (map == nullptr || map->items.size() != count || !SameKeys(map->keys, first->keys)) {
      return Apart("item " + std::to_string(i) + " is no map of the keys of the first");
    }
    TRY(PlaceItems(map->items, i * count, all));
  }
  return all;
}

/// An input's value, or a tensor over its memory.
Result<Value> InputOf(const slipway_view& view) {
  if (view.value != nullptr) return view.value->value;
  return Value(TRY(WrapMemory(view.dtype, view.dims, view.rank, view.data, view.bytes)));
}

/// The memory that views of outputs name.
Result<std::vector<Value>> MemoryOf(const slipway_view* views, size_t count) {
  std::vector<Value> memory(count);
  for (size_t i = 0; i < count; ++i) {
    const slipway_view& view = views[i];
    if (view.kind != SLIPWAY_TENSOR) continue;
    auto tensor = WrapMemory(view.dtype, view.dims, view.rank, view.data, view.bytes);
    if (!tensor) return Within("output " + std::to_string(i), std::move(tensor).error());
    memory[i] = Value(std::move(*tensor));
  }
  return memory;
}

Result<Feeds> MakeFeeds(const char* const* names, const slipway_view* views, size_t count) {
  if (count > 0 && (names == nullptr || views == nullptr)) return NullArgument("inputs");
  Feeds feeds;
  feeds.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (names[i] == nullptr) return NullArgument("input_names");
    auto input = InputOf(views[i]);
    if (!input) return Within(names[i], std::move(input).error());
    feeds.emplace_back(names[i], std::move(*input));
  }
  return feeds;
}

}  // namespace
}  // namespace slipway::runtime

using namespace slipway::runtime;
using slipway::Code;
using slipway::Error;
using slipway::Result;

slipway_status slipway_map_items(const slipway_value* value, slipway_value** items) {
  return Guarded([&]() -> Result<void> {
    const Map* map = value == nullptr ? nullptr : value->value.map();
    if (map == nullptr || items == nullptr) return Refused("the value is no map");
    Tensor stacked = TRY(StackItems(map->items));
    *items = new slipway_value{Value(std::move(stacked))};
    return {};
  });
}

slipway_status slipway_sequence_maps(const slipway_value* value, slipway_value** keys,
                                     slipway_value** items) {
  return Guarded([&]() -> Result<void> {
    const Sequence* sequence = value == nullptr ? nullptr : value->value.sequence();
    if (sequence == nullptr || keys == nullptr || items == nullptr) {
      return Refused("the value is no sequence");
    }
    Tensor stacked = TRY(StackMaps(sequence->items));
    *keys = new slipway_value{Value(sequence->items.front().map()->keys)};
    *items = new slipway_value{Value(std::move(stacked))};
    return {};
  });
}

slipway_status slipway_tensor_set_strings(slipway_value* value, const char* text,
                                          const int64_t* offsets) {
  return Guarded([&] { return SetStrings(value, text, offsets); });
}

slipway_status slipway_tensor_get_strings(const slipway_value* value, char** text,
                                          int64_t* offsets) {
  return Guarded([&] { return GetStrings(value, text, offsets); });
}

void slipway_value_view(slipway_value* value, slipway_view* view) {
  if (view == nullptr) return;
  *view = {.value = value,
           .data = slipway_tensor_data(value),
           .dims = slipway_tensor_dims(value),
           .rank = slipway_tensor_rank(value),
           .bytes = slipway_tensor_bytes(value),
           .kind = slipway_value_kind(value),
           .dtype = slipway_tensor_dtype(value),
           .head = {}};
  std::copy_n(view->dims, std::min(view->rank, std::size(view->head)), view->head);
}

slipway_status slipway_session_run_views(slipway_session* session, const char* const* input_names,
                                         const slipway_view* inputs, size_t input_count,
                                         const char* const* output_names, size_t output_count,
                                         slipway_view* outputs) {
  return slipway_session_run_views_with(session, input_names, inputs, input_count, output_names,
                                        output_count, nullptr, outputs);
}

slipway_status slipway_session_run_views_with(slipway_session* session,
                                              const char* const* input_names,
                                              const slipway_view* inputs, size_t input_count,
                                              const char* const* output_names, size_t output_count,
                                              const slipway_run_options* options,
                                              slipway_view* outputs) {
  return Guarded([&]() -> Result<void> {
    if (session == nullptr || (outputs == nullptr && output_count > 0)) {
      return NullArgument("session or outputs");
    }
    const RunLimits limits = TRY(LimitsOf(options));
    const Feeds feeds = TRY(MakeFeeds(input_names, inputs, input_count));
    std::vector<slipway_value*> made(output_count);
    TRY(RunSession(*session, feeds, output_names, output_count, limits, made.data()));
    for (size_t i = 0; i < output_count; ++i) slipway_value_view(made[i], &outputs[i]);
    return {};
  });
}

slipway_status slipway_session_run_into(slipway_session* session, const char* const* input_names,
                                        const slipway_view* inputs, size_t input_count,
                                        const char* const* output_names, size_t output_count,
                                        const slipway_run_options* options, slipway_view* outputs) {
  return Guarded([&]() -> Result<void> {
    if (session == nullptr || (outputs == nullptr && output_count > 0)) {
      return NullArgument("session or outputs");
    }
    const RunLimits limits = TRY(LimitsOf(options));
    const Feeds feeds = TRY(MakeFeeds(input_names, inputs, input_count));
    const std::vector<Value> memory = TRY(MemoryOf(outputs, output_count));
    std::vector<slipway_value*> made(output_count);
    TRY(RunSession(*session, feeds, output_names, output_count, limits, made.data(), memory));
    for (size_t i = 0; i < output_count; ++i) {
      if (made[i] != nullptr) slipway_value_view(made[i], &outputs[i]);
    }
    return {};
  });
}

slipway_status slipway_session_profile(slipway_session* session, char** json) {
  return Guarded([&]() -> Result<void> {
    if (session == nullptr || json == nullptr) return NullArgument("session or json");
    slipway::Json list = slipway::Json::array();
    for (const NodeProfile& node : session->session->Profile()) {
      list.push_back({{"node", node.node},
                      {"op_type", node.op_type},
                      {"kernel", node.kernel},
                      {"runs", node.runs},
                      {"total_ms", node.total_ms},
                      {"best_ms", node.best_ms},
                      {"last_start_ms", node.last_start_ms},
                      {"last_ms", node.last_ms},
                      {"flops", node.flops}});
    }
    *json = CopyText(slipway::DumpJson(list));
    return {};
  });
}
