// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/convert.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "base/text.h"
#include "runtime/kernels/convert_simd.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/half_simd.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

using PlainList = decltype(NumericList() + TypeList<bool>());

/// Wraps around; defined for every float.
template <class To, class From>
To FloatToInteger(From value) {
  constexpr auto kSpan = static_cast<From>(18446744073709551616.0);
  constexpr auto kHalf = static_cast<From>(9223372036854775808.0);
  if (!(value > -kHalf && value < kSpan)) {
    if (std::isnan(value)) return 0;
    return value < 0 ? std::numeric_limits<To>::lowest() : std::numeric_limits<To>::max();
  }
  if (value >= kHalf) return static_cast<To>(static_cast<std::uint64_t>(value));
  return static_cast<To>(static_cast<std::int64_t>(value));
}

template <class To, class From>
To ConvertOne(From from) {
  const auto value = static_cast<Compute<From>>(from);
  using V = decltype(value);
  if constexpr (std::is_same_v<To, bool>) {
    return value != V{0};
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<std::remove_const_t<V>>) {
    return FloatToInteger<To>(value);
  } else if constexpr (kIsHalf<To>) {
    if constexpr (std::is_same_v<From, float> || kIsHalf<From>)
      return To(value);
    else
      return To(static_cast<double>(value));
  } else {
    return static_cast<To>(value);
  }
}

/// What is true is 1 in memory, as a byte.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;

template <class From, class To>
void ConvertEach(const From* in, To* out, std::int64_t count) {
  const auto* from = reinterpret_cast<const Stored<From>*>(in);
  auto* to = reinterpret_cast<Stored<To>*>(out);
  for (std::int64_t i = 0; i < count; ++i) to[i] = ConvertOne<To>(from[i]);
}

/// Float32 and 16-bit floats; false for other types.
bool ConvertHalf(KernelContext& context, const Tensor& from, Tensor& to) {
  bool done = false;
  (void)Dispatch(TypeList<Float16, BFloat16>{}, from.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (to.dtype() != DType::kFloat32) return;
    const auto in = from.data<T>();
    float* out = to.data<float>().data();
    context.ParallelFor(from.size(), kElementGrain, [=](std::int64_t begin, std::int64_t end) {
      WidenHalf(in.subspan(At(begin), At(end - begin)), out + begin);
    });
    done = true;
  });
  (void)Dispatch(TypeList<Float16, BFloat16>{}, to.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (from.dtype() != DType::kFloat32) return;
    const auto in = from.data<float>();
    T* out = to.data<T>().data();
    context.ParallelFor(from.size(), kElementGrain, [=](std::int64_t begin, std::int64_t end) {
      NarrowToHalf(in.subspan(At(begin), At(end - begin)), out + begin);
    });
    done = true;
  });
  return done;
}

void ConvertPlain(KernelContext& context, const Tensor& from, Tensor& to) {
  (void)Dispatch(PlainList{}, from.dtype(), [&](auto from_tag) {
    using From = typename decltype(from_tag)::type;
    (void)Dispatch(PlainList{}, to.dtype(), [&](auto to_tag) {
      using To = typename decltype(to_tag)::type;
      const From* in = from.data<From>().data();
      To* out = to.data<To>().data();
      context.ParallelFor(
          from.size(), kElementGrain, [&, in, out](std::int64_t begin, std::int64_t end) {
            constexpr std::int64_t kBlock = 512;
            for (std::int64_t at = begin; at < end; at += kBlock) {
              at += ConvertSimple(from.dtype(), in + at, to.dtype(), out + at, end - at);
              ConvertEach(in + at, out + at, std::min(kBlock, end - at));
            }
          });
    });
  });
}

template <class T>
std::string NumberText(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-INF" : "INF";
    char text[64];
    const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
    return {text, end};
  }
}

void ToStrings(const Tensor& from, Tensor& to) {
  auto out = to.data<std::string>();
  (void)Dispatch(PlainList{}, from.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto in = from.data<T>();
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = NumberText<Compute<T>>(in[i]);
  });
}

Result<double> ParseFloat(std::string_view text) {
  const std::string lower = ToLower(Trim(text));
  std::string_view rest = lower;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (end != rest.data() + rest.size() || error == std::errc::invalid_argument) {
    return Invalid("string `", text.substr(0, 40), "` is no number");
  }
  if (error != std::errc::result_out_of_range) return value;
  return std::strtod(std::string(rest).c_str(), nullptr);
}

template <class T>
Result<T> ParseElement(std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    const std::string lower = ToLower(Trim(text));
    if (lower == "true") return true;
    if (lower == "false") return false;
  }
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    std::string_view digits = Trim(text);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    T value{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size()) return value;
  }
  return ConvertOne<T>(TRY(ParseFloat(text)));
}

Result<void> FromStrings(const Tensor& from, Tensor& to) {
  const auto in = from.data<std::string>();
  Result<void> parsed;
  TRY(Dispatch(PlainList{}, to.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    auto out = to.data<T>();
    for (std::size_t i = 0; i < in.size() && parsed; ++i) {
      Result<T> value = ParseElement<T>(in[i]);
      if (value)
        out[i] = *value;
      else
        parsed = std::move(value).error();
    }
  }));
  return parsed;
}

bool IsSigned(DType dtype) { return dtype == DType::kInt4 || dtype == DType::kInt2; }

/// Elements of a type below the plain ones as float, exactly.
Result<Tensor> WidenNarrow(const Tensor& from) {
  const Tensor bytes = IsPacked(from.dtype()) ? TRY(Unpacked(from)) : from;
  Tensor wide = TRY(Tensor::Make(DType::kFloat32, from.shape()));
  auto out = wide.data<float>();
  const auto* in = static_cast<const std::uint8_t*>(bytes.raw());
  const int bits = DTypeBits(from.dtype());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (IsMiniFloat(from.dtype())) {
      out[i] = DecodeMini(from.dtype(), in[i]);
    } else {
      const int value = in[i];
      const bool negative = IsSigned(from.dtype()) && (value >> (bits - 1)) != 0;
      out[i] = static_cast<float>(negative ? value - (1 << bits) : value);
    }
  }
  return wide;
}

Result<void> NarrowInto(const Tensor& wide, Tensor& to, const MiniOptions& options) {
  Tensor bytes = IsPacked(to.dtype()) ? TRY(Tensor::Make(DType::kUint8, to.shape())) : to;
  const auto in = wide.data<float>();
  auto* out = static_cast<std::uint8_t*>(bytes.raw());
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = IsMiniFloat(to.dtype()) ? EncodeMini(to.dtype(), in[i], options)
                                     : static_cast<std::uint8_t>(ConvertOne<std::int64_t>(in[i]));
  }
  if (IsPacked(to.dtype())) PackInto(bytes, to);
  return {};
}

bool IsNarrow(DType dtype) { return IsMiniFloat(dtype) || IsPacked(dtype); }

/// As float, rounded so that rounding again to fewer bits does no harm.
Result<Tensor> ToFloat(KernelContext& context, const Tensor& from) {
  Tensor wide = TRY(Tensor::Make(DType::kFloat32, from.shape()));
  if (from.dtype() == DType::kFloat64) {
    MapElements<double, float>(context, from, wide, [](double x) { return RoundToOdd(x); });
    return wide;
  }
  TRY(ConvertElements(context, from, wide));
  return wide;
}

}  // namespace

Result<void> ConvertElements(KernelContext& context, const Tensor& from, Tensor& to,
                             const MiniOptions& options) {
  if (from.dtype() == to.dtype()) {
    CopyAll(from, to);
    return {};
  }
  if (IsNarrow(from.dtype())) return ConvertElements(context, TRY(WidenNarrow(from)), to, options);
  if (IsNarrow(to.dtype())) return NarrowInto(TRY(ToFloat(context, from)), to, options);
  if (from.dtype() == DType::kString) return FromStrings(from, to);
  if (to.dtype() == DType::kString) {
    ToStrings(from, to);
    return {};
  }
  if (!ConvertHalf(context, from, to)) ConvertPlain(context, from, to);
  return {};
}

}  // namespace slipway::runtime
