// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: LabelEncoder (1, 2, 4), CategoryMapper, OneHotEncoder (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html and the others' pages.
// Of a key that is there twice the first counts; NaN is found under NaN, -0.0 under 0.0.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/limits.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

using NumberList = TypeList<float, double, std::int16_t, std::int32_t, std::int64_t>;
using KeyList = decltype(NumberList() + TypeList<std::string>());

struct SameKey {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    if constexpr (std::is_floating_point_v<T>) return a == b || (std::isnan(a) && std::isnan(b));
    return a == b;
  }
};

struct HashKey {
  template <class T>
  std::size_t operator()(const T& key) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(key)) return 1;
    }
    return std::hash<T>()(key);
  }
};

template <class T>
using Places = std::unordered_map<T, std::int64_t, HashKey, SameKey>;

template <class List>
auto PlacesOf(const List& keys) {
  using T = std::remove_cvref_t<decltype(*keys.begin())>;
  Places<T> places;
  std::int64_t at = 0;
  for (const auto& key : keys) places.emplace(key, at++);
  return places;
}

template <class T>
std::int64_t PlaceOf(const Places<T>& places, const T& key) {
  const auto found = places.find(key);
  return found == places.end() ? -1 : found->second;
}

template <class T>
Tensor Copied(DType dtype, std::span<const T> elements) {
  return Tensor::FromVector(dtype, {static_cast<std::int64_t>(elements.size())},
                            std::vector<T>(elements.begin(), elements.end()));
}

template <class T>
Tensor One(DType dtype, T element) {
  return Tensor::FromVector(dtype, {1}, std::vector<T>{std::move(element)});
}

/// Keys and values of a node, as tensors of one dimension, and what unknown keys get.
struct Mapping {
  Tensor keys, values, fallback;
};

/// The one of `<side>_strings`, `_int64s`, `_floats` and `_tensor` that is there.
Result<Tensor> SideOf(const NodeFacts& node, const std::string& side) {
  std::vector<Tensor> given;
  const auto strings = node.attributes.Strings(side + "_strings");
  if (!strings.empty()) given.push_back(Copied(DType::kString, strings));
  const std::vector<std::int64_t> ints = node.attributes.Ints(side + "_int64s", {});
  if (!ints.empty()) given.push_back(Copied<std::int64_t>(DType::kInt64, ints));
  const auto floats = node.attributes.Floats(side + "_floats");
  if (!floats.empty()) given.push_back(Copied(DType::kFloat32, floats));
  if (const Tensor* tensor = node.attributes.TensorOrNull(side + "_tensor")) {
    given.push_back(tensor->Reshaped({tensor->size()}));
  }
  if (given.size() == 1) return given.front();
  return Invalid("one of the attributes `", side, "_*` must be given, not ", given.size());
}

Tensor TypeDefault(const NodeFacts& node, DType dtype) {
  switch (dtype) {
    case DType::kString:
      return One(dtype, std::string(node.attributes.String("default_string", "_Unused")));
    case DType::kFloat32:
      return One(dtype, node.attributes.Float("default_float", -0.0F));
    case DType::kFloat64:
      return One(dtype, -0.0);
    case DType::kInt32:
      return One(dtype, std::int32_t{-1});
    case DType::kInt16:
      return One(dtype, std::int16_t{-1});
    default:
      return One(dtype, node.attributes.Int("default_int64", -1));
  }
}

/// Of LabelEncoder 1: strings and their positions, in the direction that the input asks for.
Result<Mapping> OldMapping(const NodeFacts& node) {
  const auto classes = node.attributes.Strings("classes_strings");
  const Tensor names = Copied(DType::kString, classes);
  std::vector<std::int64_t> numbers(classes.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
  const Tensor places = Copied<std::int64_t>(DType::kInt64, numbers);
  const bool from_strings = node.dtype(0) == DType::kString;
  const DType to = from_strings ? DType::kInt64 : DType::kString;
  return Mapping{from_strings ? names : places, from_strings ? places : names,
                 TypeDefault(node, to)};
}

Result<Mapping> LabelMapping(const NodeFacts& node) {
  if (node.op->since < 2) return OldMapping(node);
  Mapping mapping;
  mapping.keys = TRY(SideOf(node, "keys"));
  mapping.values = TRY(SideOf(node, "values"));
  mapping.fallback = TypeDefault(node, mapping.values.dtype());
  if (const Tensor* given = node.attributes.TensorOrNull("default_tensor")) {
    if (given->size() != 1 || given->dtype() != mapping.values.dtype()) {
      return Invalid("attribute `default_tensor` is ", given->dtype(), given->shape(),
                     " where one ", mapping.values.dtype(), " is asked for");
    }
    mapping.fallback = given->Reshaped({1});
  }
  return mapping;
}

Result<Mapping> CategoryMapping(const NodeFacts& node) {
  const Tensor names = Copied(DType::kString, node.attributes.Strings("cats_strings"));
  const std::vector<std::int64_t> ints = node.attributes.Ints("cats_int64s", {});
  const Tensor numbers = Copied<std::int64_t>(DType::kInt64, ints);
  const bool from_strings = node.dtype(0) == DType::kString;
  return Mapping{from_strings ? names : numbers, from_strings ? numbers : names,
                 TypeDefault(node, from_strings ? DType::kInt64 : DType::kString)};
}

Result<Mapping> MappingOf(const NodeFacts& node) {
  Mapping mapping =
      TRY(node.op->type == "CategoryMapper" ? CategoryMapping(node) : LabelMapping(node));
  if (mapping.keys.size() != mapping.values.size()) {
    return Invalid(mapping.keys.size(), " keys and ", mapping.values.size(), " values");
  }
  if (mapping.keys.dtype() != node.dtype(0)) {
    return Invalid("keys are ", mapping.keys.dtype(), " and the input is ", node.dtype(0));
  }
  return mapping;
}

Result<Facts> InferMapping(const NodeFacts& node) {
  const Mapping mapping = TRY(MappingOf(node));
  return Facts{TensorFacts(mapping.values.dtype(), node.shape(0))};
}

template <class T>
class Mapper final : public Executable {
 public:
  explicit Mapper(Mapping mapping)
      : mapping_(std::move(mapping)), places_(PlacesOf(std::as_const(mapping_.keys).data<T>())) {}

  Result<void> Run(KernelContext& context) const override {
    const auto x = context.input(0)->data<T>();
    Tensor& y = context.output(0);
    std::int64_t at = 0;
    TextMeter meter;
    for (const T& key : x) {
      const std::int64_t place = PlaceOf(places_, key);
      const Tensor& from = place < 0 ? mapping_.fallback : mapping_.values;
      CopyElements(from, std::max<std::int64_t>(place, 0), y, at++, 1, &meter);
    }
    return {};
  }

 private:
  Mapping mapping_;
  Places<T> places_;
};

Result<std::unique_ptr<Executable>> PrepareMapping(const NodeFacts& node, DeviceContext&) {
  Mapping mapping = TRY(MappingOf(node));
  std::unique_ptr<Executable> made;
  TRY(Dispatch(KeyList{}, node.dtype(0), [&](auto tag) {
    made = std::make_unique<Mapper<typename decltype(tag)::type>>(std::move(mapping));
  }));
  return made;
}

Result<std::int64_t> CategoriesOf(const NodeFacts& node) {
  const auto strings = static_cast<std::int64_t>(node.attributes.Strings("cats_strings").size());
  const auto ints = static_cast<std::int64_t>(node.attributes.Ints("cats_int64s", {}).size());
  if (strings > 0 && ints > 0)
    return Invalid("attributes `cats_strings` and `cats_int64s` exclude each other");
  const bool from_strings = node.dtype(0) == DType::kString;
  if ((from_strings ? strings : ints) == 0) {
    return Invalid("input is ", node.dtype(0), " and attribute `",
                   from_strings ? "cats_strings" : "cats_int64s", "` is missing");
  }
  return std::max(strings, ints);
}

Result<Facts> InferOneHot(const NodeFacts& node) {
  Shape shape = node.shape(0);
  shape.push_back(TRY(CategoriesOf(node)));
  return Facts{TensorFacts(DType::kFloat32, std::move(shape))};
}

class OneHotEncoder final : public Executable {
 public:
  explicit OneHotEncoder(const NodeFacts& node)
      : strings_(PlacesOf(node.attributes.Strings("cats_strings"))),
        ints_(PlacesOf(node.attributes.Ints("cats_int64s", {}))),
        zeros_(node.attributes.Int("zeros", 1) != 0) {}

  Result<void> Run(KernelContext& context) const override {
    const Tensor& x = *context.input(0);
    Tensor& y = context.output(0);
    FillWith(y, nullptr);
    const std::int64_t categories = y.shape().back();
    Result<void> done;
    TRY(Dispatch(KeyList{}, x.dtype(), [&](auto tag) {
      const auto elements = x.data<typename decltype(tag)::type>();
      for (std::size_t i = 0; i < elements.size() && done; ++i) {
        const std::int64_t place = CategoryOf(elements[i]);
        if (place >= 0) {
          y.data<float>()[i * At(categories) + At(place)] = 1;
        } else if (!zeros_) {
          done = Invalid("element ", i, " is of no category, and attribute `zeros` is 0");
        }
      }
    }));
    return done;
  }

 private:
  /// Which category an element is; -1 for none.
  template <class T>
  std::int64_t CategoryOf(const T& element) const {
    if constexpr (std::is_same_v<T, std::string>) {
      return PlaceOf(strings_, element);
    } else {
      constexpr double kBound = 9223372036854775808.0;
      const auto wide = static_cast<double>(element);
      if (std::is_floating_point_v<T> && !(wide >= -kBound && wide < kBound)) return -1;
      const auto whole = static_cast<std::int64_t>(element);
      return static_cast<T>(whole) == element ? PlaceOf(ints_, whole) : -1;
    }
  }

  Places<std::string> strings_;
  Places<std::int64_t> ints_;
  bool zeros_;
};

Result<std::unique_ptr<Executable>> PrepareOneHot(const NodeFacts& node, DeviceContext&) {
  return std::unique_ptr<Executable>(std::make_unique<OneHotEncoder>(node));
}

constexpr Kernel kMapping[] = {{.name = "label_mapping_reference", .prepare = PrepareMapping}};
constexpr Kernel kOneHot[] = {{.name = "one_hot_encoder_reference", .prepare = PrepareOneHot}};

constexpr DTypeSet kLabels = Types({DType::kString, DType::kInt64});
constexpr DTypeSet kLabels2 = kLabels | Types({DType::kFloat32});
constexpr DTypeSet kLabels4 = kLabels2 | Types({DType::kInt32, DType::kInt16, DType::kFloat64});
constexpr DTypeSet kCategories = kLabels | Types({DType::kInt32, DType::kFloat32, DType::kFloat64});

constexpr std::string_view kEncoder2 =
    "default_float:float=-0.0, default_int64:int=-1, default_string:string=_Unused, "
    "keys_floats:floats, keys_int64s:ints, keys_strings:strings, values_floats:floats, "
    "values_int64s:ints, values_strings:strings";
constexpr std::string_view kEncoder4 =
    "default_float:float=-0.0, default_int64:int=-1, default_string:string=_Unused, "
    "default_tensor:tensor, keys_floats:floats, keys_int64s:ints, keys_strings:strings, "
    "keys_tensor:tensor, values_floats:floats, values_int64s:ints, values_strings:strings, "
    "values_tensor:tensor";

consteval OpDef Encoder(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "LabelEncoder",
          .domain = "ai.onnx.ml",
          .since = since,
          .signature = "X:T1 -> Y:T2",
          .types = types,
          .attributes = attributes,
          .infer = InferMapping,
          .kernels = kMapping};
}

}  // namespace

OpList ops_ml_encoding() {
  static constexpr auto kOps = Versions({
      Encoder(1, kT1T2<kLabels, kLabels>,
              "classes_strings:strings, default_int64:int=-1, default_string:string=_Unused"),
      Encoder(2, kT1T2<kLabels2, kLabels2>, kEncoder2),
      Encoder(4, kT1T2<kLabels4, kLabels4>, kEncoder4),
      OpDef{.type = "CategoryMapper",
            .domain = "ai.onnx.ml",
            .signature = "X:T1 -> Y:T2",
            .types = kT1T2<kLabels, kLabels>,
            .attributes = "cats_int64s:ints, cats_strings:strings, default_int64:int=-1, "
                          "default_string:string=_Unused",
            .infer = InferMapping,
            .kernels = kMapping},
      OpDef{.type = "OneHotEncoder",
            .domain = "ai.onnx.ml",
            .signature = "X:T -> Y:float",
            .types = kT<kCategories>,
            .attributes = "cats_int64s:ints, cats_strings:strings, zeros:int=1",
            .infer = InferOneHot,
            .kernels = kOneHot},
  });
  return kOps;
}

}  // namespace slipway::runtime
