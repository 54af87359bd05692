// SPDX-License-Identifier: Apache-2.0
// ai.onnx.ml: ZipMap, DictVectorizer, CastMap (1).
// Spec: https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html and the pages of the others.
// ZipMap's maps are in the order of their keys. Tensors made of a map have the shape [1, C].
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "base/limits.h"
#include "base/text.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/ml_scores.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kMostColumns = 1 << 26;

Result<ClassLabels> LabelsOf(const NodeFacts& node) {
  return ClassLabelsOf(node, "classlabels_strings", "classlabels_int64s");
}

Result<Facts> InferZipMap(const NodeFacts& node) {
  const ClassLabels labels = TRY(LabelsOf(node));
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  if (examples.features != labels.size()) {
    return Invalid("input of ", node.shape(0), " has not the ", labels.size(),
                   " columns of the labels");
  }
  return Facts{{.kind = TypeInfo::Kind::kSequence, .dtype = labels.dtype()}};
}

/// Positions of the labels in ascending order.
std::vector<std::int64_t> Ascending(const ClassLabels& labels) {
  std::vector<std::int64_t> order(At(labels.size()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
    return labels.are_strings() ? labels.strings[At(a)] < labels.strings[At(b)]
                                : labels.ints[At(a)] < labels.ints[At(b)];
  });
  return order;
}

/// All maps share their keys, which stay the same from run to run, and one array of values.
class ZipMap final : public Executable {
 public:
  ZipMap(const Examples& examples, Tensor keys, std::vector<std::int64_t> order)
      : examples_(examples), keys_(std::move(keys)), order_(std::move(order)) {}

  Result<void> Run(KernelContext& context) const override {
    Tensor values = TRY(context.input(0)->Clone());
    auto sequence = std::make_shared<Sequence>();
    sequence->items.reserve(At(examples_.rows));
    for (std::int64_t row = 0; row < examples_.rows; ++row) {
      auto map = std::make_shared<Map>();
      map->keys = keys_;
      map->items.reserve(order_.size());
      float* scores = values.data<float>().data() + row * examples_.features;
      for (const std::int64_t label : order_) {
        map->items.emplace_back(Tensor::Wrap(DType::kFloat32, {}, values.owner(), scores + label));
      }
      sequence->items.emplace_back(std::shared_ptr<const Map>(std::move(map)));
    }
    context.Set(0, std::shared_ptr<const Sequence>(std::move(sequence)));
    return {};
  }

 private:
  Examples examples_;
  Tensor keys_;
  std::vector<std::int64_t> order_;  ///< of the columns, as the keys ascend
};

Result<std::unique_ptr<Executable>> PrepareZipMap(const NodeFacts& node, DeviceContext&) {
  const ClassLabels labels = TRY(LabelsOf(node));
  std::vector<std::int64_t> order = Ascending(labels);
  Tensor keys = TRY(Tensor::Make(labels.dtype(), {labels.size()}));
  for (std::size_t i = 0; i < order.size(); ++i) {
    labels.Store(keys, static_cast<std::int64_t>(i), order[i]);
  }
  const Examples examples = TRY(ExamplesOf(node.shape(0)));
  return std::unique_ptr<Executable>(new ZipMap(examples, std::move(keys), std::move(order)));
}

Result<const Map*> MapOf(KernelContext& context) {
  const Map* map = context.input_value(0).map();
  if (map == nullptr) return Invalid("input 0 is no map");
  for (const Value& item : map->items) {
    const Tensor* tensor = item.tensor();
    if (tensor == nullptr || tensor->size() != 1 ||
        tensor->dtype() != map->items.front().tensor()->dtype()) {
      return Invalid("a value of the map is not one element, or of another type than the rest");
    }
  }
  return map;
}

Result<Facts> InferFromMap(const NodeFacts&) { return Facts{TensorFacts(DType::kUndefined)}; }

/// Positions of the keys in a map.
template <class T>
std::map<T, std::size_t> PlacesOf(const Map& map) {
  std::map<T, std::size_t> places;
  const auto keys = map.keys.data<T>();
  for (std::size_t i = 0; i < keys.size(); ++i) places[keys[i]] = i;
  return places;
}

template <class T, class List>
Result<void> Vectorize(KernelContext& context, const Map& map, const List& vocabulary) {
  const auto count = static_cast<std::int64_t>(vocabulary.size());
  const DType dtype = map.items.empty() ? DType::kFloat32 : map.items.front().tensor()->dtype();
  Tensor* y = TRY(context.Allocate(0, dtype, {1, count}));
  FillWith(*y, nullptr);
  const auto places = PlacesOf<T>(map);
  std::int64_t at = 0;
  for (const T& key : vocabulary) {
    const auto found = places.find(key);
    if (found != places.end()) CopyElements(*map.items[found->second].tensor(), 0, *y, at, 1);
    ++at;
  }
  return {};
}

Result<void> RunDictVectorizer(const NodeFacts& node, KernelContext& context) {
  const Map* map = TRY(MapOf(context));
  const auto strings = node.attributes.Strings("string_vocabulary");
  const std::vector<std::int64_t> ints = node.attributes.Ints("int64_vocabulary", {});
  if (strings.empty() == ints.empty()) {
    return Invalid(
        "one of the attributes `string_vocabulary` and `int64_vocabulary` must be given");
  }
  const DType wanted = ints.empty() ? DType::kString : DType::kInt64;
  if (map->keys.dtype() != wanted) {
    return Invalid("keys of the map are ", map->keys.dtype(), " and the vocabulary is ", wanted);
  }
  if (ints.empty()) return Vectorize<std::string>(context, *map, strings);
  return Vectorize<std::int64_t>(context, *map, ints);
}

Result<DType> CastType(const NodeFacts& node) {
  const std::string_view name = node.attributes.String("cast_to", "TO_FLOAT");
  if (name == "TO_FLOAT") return DType::kFloat32;
  if (name == "TO_STRING") return DType::kString;
  if (name == "TO_INT64") return DType::kInt64;
  return Invalid("attribute `cast_to` is `", name, "`, not TO_FLOAT, TO_STRING or TO_INT64");
}

template <class T>
Result<T> Parsed(const std::string& text) {
  const std::string_view trimmed = Trim(text);
  T number{};
  const auto [end, error] =
      std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), number);
  if (error == std::errc() && end == trimmed.data() + trimmed.size()) return number;
  return Invalid("string `", std::string_view(text).substr(0, 40), "` is no number");
}

Result<void> CastOne(const Tensor& from, Tensor& to, std::int64_t at) {
  if (from.dtype() == DType::kString) {
    const std::string& text = from.data<std::string>()[0];
    if (to.dtype() == DType::kString) to.data<std::string>()[At(at)] = text;
    if (to.dtype() == DType::kFloat32) to.data<float>()[At(at)] = TRY(Parsed<float>(text));
    if (to.dtype() == DType::kInt64) {
      to.data<std::int64_t>()[At(at)] = TRY(Parsed<std::int64_t>(text));
    }
    return {};
  }
  if (from.dtype() != DType::kFloat32) {
    return Invalid("values of the map are ", from.dtype(), ", not string or float");
  }
  const float value = from.data<float>()[0];
  if (to.dtype() == DType::kString) to.data<std::string>()[At(at)] = fmt::format("{:f}", value);
  if (to.dtype() == DType::kFloat32) to.data<float>()[At(at)] = value;
  if (to.dtype() == DType::kInt64) {
    constexpr float kBound = 9223372036854775808.0F;
    if (!(value >= -kBound && value < kBound)) return Invalid("value ", value, " is no int64");
    to.data<std::int64_t>()[At(at)] = static_cast<std::int64_t>(value);
  }
  return {};
}

Result<Facts> InferCastMap(const NodeFacts& node) {
  const std::string_view form = node.attributes.String("map_form", "DENSE");
  if (form != "DENSE" && form != "SPARSE") {
    return Invalid("attribute `map_form` is `", form, "`, not DENSE or SPARSE");
  }
  const std::int64_t width = node.attributes.Int("max_map", 1);
  if (form == "SPARSE" && (width < 1 || width > kMostColumns)) {
    return Invalid("attribute `max_map` is ", width, ", not within [1, ", kMostColumns, "]");
  }
  return Facts{TensorFacts(TRY(CastType(node)))};
}

Result<void> RunCastMap(const NodeFacts& node, KernelContext& context) {
  const Map* map = TRY(MapOf(context));
  if (map->keys.dtype() != DType::kInt64) {
    return Invalid("keys of the map are ", map->keys.dtype(), ", not int64");
  }
  const bool sparse = node.attributes.String("map_form", "DENSE") == "SPARSE";
  const auto count = static_cast<std::int64_t>(map->items.size());
  const std::int64_t width = sparse ? node.attributes.Int("max_map", 1) : count;
  const DType to = TRY(CastType(node));
  Tensor* y = TRY(context.Allocate(0, to, {1, width}));
  FillWith(*y, nullptr);
  std::int64_t next = 0;
  for (const auto& [key, place] : PlacesOf<std::int64_t>(*map)) {
    if (sparse && key < 0) return Invalid("key ", key, " of the map is no position");
    const std::int64_t at = sparse ? key : next++;
    if (at < width) TRY(CastOne(*map->items[place].tensor(), *y, at));
  }
  return {};
}

constexpr Kernel kZipMap[] = {{.name = "zip_map_reference", .prepare = PrepareZipMap}};
constexpr Kernel kDict[] = {{.name = "dict_vectorizer_reference", .run = RunDictVectorizer}};
constexpr Kernel kCastMap[] = {{.name = "cast_map_reference", .run = RunCastMap}};

constexpr DTypeSet kCastTypes = Types({DType::kString, DType::kFloat32, DType::kInt64});

}  // namespace

OpList ops_ml_maps() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "ZipMap",
            .domain = "ai.onnx.ml",
            .signature = "X:float -> Z:seq(map(int64, float))",
            .attributes = "classlabels_int64s:ints, classlabels_strings:strings",
            .infer = InferZipMap,
            .kernels = kZipMap},
      OpDef{.type = "DictVectorizer",
            .domain = "ai.onnx.ml",
            .signature = "X:map -> Y:T2",
            .types = kT1T2<kCastTypes, kCastTypes | Types({DType::kFloat64})>,
            .attributes = "int64_vocabulary:ints, string_vocabulary:strings",
            .infer = InferFromMap,
            .kernels = kDict},
      OpDef{.type = "CastMap",
            .domain = "ai.onnx.ml",
            .signature = "X:map -> Y:T2",
            .types = kT1T2<kCastTypes, kCastTypes>,
            .attributes = "cast_to:string=TO_FLOAT, map_form:string=DENSE, max_map:int=1",
            .infer = InferCastMap,
            .kernels = kCastMap},
  });
  return kOps;
}

}  // namespace slipway::runtime
