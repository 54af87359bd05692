// SPDX-License-Identifier: Apache-2.0
#include "runtime/c_api.h"

namespace slipway::runtime {
namespace {

Result<Shape> MakeShape(const int64_t* dims, size_t rank) {
  if (dims == nullptr && rank > 0) return NullArgument("dims");
  return rank == 0 ? Shape{} : Shape(dims, dims + rank);
}

/// Calls the caller's release function when the last user of wrapped memory is gone.
struct Borrowed {
  void (*release)(void*) = nullptr;
  void* context = nullptr;
  Borrowed() = default;
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    if (release != nullptr) release(context);
  }
};

const Tensor* TensorOf(const slipway_value* value) {
  return value == nullptr ? nullptr : value->value.tensor();
}

Result<std::vector<Value>> MakeItems(const slipway_value* const* items, size_t count) {
  if (items == nullptr && count > 0) return NullArgument("items");
  std::vector<Value> values;
  for (size_t i = 0; i < count; ++i) {
    if (items[i] == nullptr) return NullArgument("items");
    values.push_back(items[i]->value);
  }
  return values;
}

const std::vector<Value>* ItemsOf(const slipway_value* value) {
  if (value == nullptr) return nullptr;
  if (const Sequence* sequence = value->value.sequence()) return &sequence->items;
  const Map* map = value->value.map();
  return map == nullptr ? nullptr : &map->items;
}

}  // namespace

Result<Tensor> WrapMemory(int32_t number, const int64_t* dims, size_t rank, void* data,
                          size_t bytes) {
  const DType dtype = TRY(DTypeFromNumber(number));
  Shape shape = TRY(MakeShape(dims, rank));
  if (dtype == DType::kString) {
    return Error{.code = Code::kInvalidArgument, .message = "strings cannot be wrapped"};
  }
  const std::int64_t size = TRY(ElementCount(shape));
  const std::int64_t bits = DTypeBits(dtype);
  std::int64_t wanted = 0;
  if (__builtin_mul_overflow(size, bits, &wanted)) {
    return Error{.code = Code::kResourceExhausted, .message = "the tensor is too large"};
  }
  wanted = (wanted + 7) / 8;
  if (static_cast<std::int64_t>(bytes) != wanted || (data == nullptr && bytes > 0)) {
    return Error{.code = Code::kInvalidArgument,
                 .message = std::to_string(bytes) + " bytes of memory where " +
                            std::string(DTypeName(dtype)) + ShapeText(shape) + " has " +
                            std::to_string(wanted)};
  }
  return Tensor::Wrap(dtype, std::move(shape), nullptr, data);
}

}  // namespace slipway::runtime

using namespace slipway::runtime;
using slipway::Code;
using slipway::Error;
using slipway::Result;

slipway_status slipway_tensor_create(int32_t dtype, const int64_t* dims, size_t rank,
                                     slipway_value** value) {
  return Guarded([&]() -> Result<void> {
    if (value == nullptr) return NullArgument("value");
    const DType type = TRY(DTypeFromNumber(dtype));
    Shape shape = TRY(MakeShape(dims, rank));
    Tensor tensor = TRY(Tensor::Make(type, std::move(shape)));
    *value = new slipway_value{Value(std::move(tensor))};
    return {};
  });
}

slipway_status slipway_tensor_wrap(int32_t dtype, const int64_t* dims, size_t rank, void* data,
                                   size_t bytes, void (*release)(void*), void* context,
                                   slipway_value** value) {
  return Guarded([&]() -> Result<void> {
    if (value == nullptr) return NullArgument("value");
    const Tensor checked = TRY(WrapMemory(dtype, dims, rank, data, bytes));
    auto made = std::make_unique<slipway_value>();
    auto owner = std::make_shared<Borrowed>();
    owner->context = context;
    Tensor tensor = Tensor::Wrap(checked.dtype(), checked.shape(), owner, data);
    made->value = Value(std::move(tensor));
    owner->release = release;
    *value = made.release();
    return {};
  });
}

int32_t slipway_value_kind(const slipway_value* value) {
  if (value == nullptr || value->value.is_none()) return SLIPWAY_NONE;
  if (value->value.tensor() != nullptr) return SLIPWAY_TENSOR;
  return value->value.sequence() != nullptr ? SLIPWAY_SEQUENCE : SLIPWAY_MAP;
}

int32_t slipway_tensor_dtype(const slipway_value* value) {
  const Tensor* tensor = TensorOf(value);
  return tensor == nullptr ? SLIPWAY_UNDEFINED : static_cast<int32_t>(tensor->dtype());
}
size_t slipway_tensor_rank(const slipway_value* value) {
  const Tensor* tensor = TensorOf(value);
  return tensor == nullptr ? 0 : tensor->shape().size();
}
const int64_t* slipway_tensor_dims(const slipway_value* value) {
  const Tensor* tensor = TensorOf(value);
  return tensor == nullptr ? nullptr : tensor->shape().data();
}
int64_t slipway_tensor_size(const slipway_value* value) {
  const Tensor* tensor = TensorOf(value);
  return tensor == nullptr ? 0 : tensor->size();
}
size_t slipway_tensor_bytes(const slipway_value* value) {
  const Tensor* tensor = TensorOf(value);
  if (tensor == nullptr || tensor->dtype() == DType::kString) return 0;
  return static_cast<size_t>(tensor->bytes());
}
const void* slipway_tensor_const_data(const slipway_value* value) {
  const Tensor* tensor = TensorOf(value);
  return tensor == nullptr || tensor->dtype() == DType::kString ? nullptr : tensor->raw();
}
void* slipway_tensor_data(slipway_value* value) {
  return const_cast<void*>(slipway_tensor_const_data(value));
}

const char* slipway_tensor_string(const slipway_value* value, int64_t index, size_t* length) {
  const Tensor* tensor = TensorOf(value);
  if (tensor == nullptr || tensor->dtype() != DType::kString || index < 0 ||
      index >= tensor->size()) {
    return nullptr;
  }
  const std::string& text = tensor->data<std::string>()[static_cast<size_t>(index)];
  if (length != nullptr) *length = text.size();
  return text.c_str();
}

slipway_status slipway_tensor_set_string(slipway_value* value, int64_t index, const char* text,
                                         size_t length) {
  return Guarded([&]() -> Result<void> {
    Tensor* tensor = value == nullptr ? nullptr : value->value.tensor();
    if (tensor == nullptr || tensor->dtype() != DType::kString || index < 0 ||
        index >= tensor->size() || (text == nullptr && length > 0)) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "no string element " + std::to_string(index)};
    }
    tensor->data<std::string>()[static_cast<size_t>(index)].assign(text == nullptr ? "" : text,
                                                                   length);
    return {};
  });
}

slipway_status slipway_sequence_create(const slipway_value* const* items, size_t count,
                                       slipway_value** value) {
  return Guarded([&]() -> Result<void> {
    if (value == nullptr) return NullArgument("value");
    auto sequence = std::make_shared<Sequence>();
    sequence->items = TRY(MakeItems(items, count));
    *value = new slipway_value{Value(std::shared_ptr<const Sequence>(std::move(sequence)))};
    return {};
  });
}

slipway_status slipway_map_create(const slipway_value* keys, const slipway_value* const* items,
                                  size_t count, slipway_value** value) {
  return Guarded([&]() -> Result<void> {
    const Tensor* tensor = TensorOf(keys);
    if (tensor == nullptr || value == nullptr) return NullArgument("keys or value");
    if (tensor->shape() != Shape{static_cast<std::int64_t>(count)}) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "keys of shape " + ShapeText(tensor->shape()) + " for " +
                              std::to_string(count) + " items"};
    }
    auto map = std::make_shared<Map>();
    map->keys = *tensor;
    map->items = TRY(MakeItems(items, count));
    *value = new slipway_value{Value(std::shared_ptr<const Map>(std::move(map)))};
    return {};
  });
}

slipway_status slipway_none_create(slipway_value** value) {
  return Guarded([&]() -> Result<void> {
    if (value == nullptr) return NullArgument("value");
    *value = new slipway_value{};
    return {};
  });
}

size_t slipway_value_count(const slipway_value* value) {
  const auto* items = ItemsOf(value);
  return items == nullptr ? 0 : items->size();
}

slipway_status slipway_value_item(const slipway_value* value, size_t index, slipway_value** item) {
  return Guarded([&]() -> Result<void> {
    const auto* items = ItemsOf(value);
    if (items == nullptr || item == nullptr || index >= items->size()) {
      return Error{.code = Code::kInvalidArgument,
                   .message = "there is no item " + std::to_string(index)};
    }
    *item = new slipway_value{(*items)[index]};
    return {};
  });
}

slipway_status slipway_map_keys(const slipway_value* value, slipway_value** keys) {
  return Guarded([&]() -> Result<void> {
    const Map* map = value == nullptr ? nullptr : value->value.map();
    if (map == nullptr || keys == nullptr) {
      return Error{.code = Code::kInvalidArgument, .message = "the value is no map"};
    }
    *keys = new slipway_value{Value(map->keys)};
    return {};
  });
}

void slipway_value_release(slipway_value* value) { delete value; }
