// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/fourier.h"

#include <algorithm>
#include <bit>
#include <numbers>
#include <string>

namespace slipway::runtime {
namespace {

constexpr std::int64_t kLongest = std::int64_t{1} << 28;
constexpr std::size_t kLargestFactor = 31;
/// Of an angle's sine and cosine, of one small transform: in operations on numbers.
constexpr std::int64_t kTurnWork = 64, kStepWork = 32;

/// Without the standard operator's care for infinite factors.
template <class T>
std::complex<T> Times(std::complex<T> a, std::complex<T> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

/// exp(sign 2 pi i numerator / denominator)
std::complex<double> Turn(std::size_t numerator, std::size_t denominator, bool inverse) {
  const double turns = static_cast<double>(numerator) / static_cast<double>(denominator);
  return std::polar(1.0, (inverse ? 2 : -2) * std::numbers::pi * turns);
}

/// Fours first, a two in front of them, then odd primes ascending.
std::vector<std::size_t> FactorsOf(std::size_t length) {
  std::vector<std::size_t> factors;
  for (; length % 4 == 0; length /= 4) factors.push_back(4);
  if (length % 2 == 0) {
    factors.insert(factors.begin(), 2);
    length /= 2;
  }
  for (std::size_t divisor = 3; divisor * divisor <= length; divisor += 2) {
    for (; length % divisor == 0; length /= divisor) factors.push_back(divisor);
  }
  if (length > 1) factors.push_back(length);
  return factors;
}

/// x times i, or times -i.
template <class T>
std::complex<T> Quarter(std::complex<T> x, bool back) {
  return back ? std::complex<T>{-x.imag(), x.real()} : std::complex<T>{x.imag(), -x.real()};
}

template <class T>
void Transform2(std::complex<T>* x) {
  const std::complex<T> a = x[0];
  x[0] = a + x[1];
  x[1] = a - x[1];
}

template <class T>
void Transform3(std::complex<T>* x, std::complex<T> root) {
  const std::complex<T> sum = x[1] + x[2];
  const std::complex<T> difference = x[1] - x[2];
  const std::complex<T> a{x[0].real() + root.real() * sum.real(),
                          x[0].imag() + root.real() * sum.imag()};
  const std::complex<T> b{-(root.imag() * difference.imag()), root.imag() * difference.real()};
  x[0] += sum;
  x[1] = a + b;
  x[2] = a - b;
}

template <class T>
void Transform4(std::complex<T>* x, bool back) {
  const std::complex<T> even = x[0] + x[2];
  const std::complex<T> even_difference = x[0] - x[2];
  const std::complex<T> odd = x[1] + x[3];
  const std::complex<T> odd_difference = Quarter(x[1] - x[3], back);
  x[0] = even + odd;
  x[2] = even - odd;
  x[1] = even_difference + odd_difference;
  x[3] = even_difference - odd_difference;
}

/// `a` and `b` are the roots that the outer and the inner pair turn by.
template <class T>
void Transform5(std::complex<T>* x, std::complex<T> a, std::complex<T> b) {
  const std::complex<T> first = x[0];
  const std::complex<T> outer = x[1] + x[4];
  const std::complex<T> outer_difference = x[1] - x[4];
  const std::complex<T> inner = x[2] + x[3];
  const std::complex<T> inner_difference = x[2] - x[3];
  x[0] = {first.real() + outer.real() + inner.real(), first.imag() + outer.imag() + inner.imag()};
  const auto pair = [&](std::size_t at, std::complex<T> p, std::complex<T> q) {
    const std::complex<T> common{first.real() + p.real() * outer.real() + q.real() * inner.real(),
                                 first.imag() + p.real() * outer.imag() + q.real() * inner.imag()};
    const std::complex<T> turned{
        -(p.imag() * outer_difference.imag() + q.imag() * inner_difference.imag()),
        p.imag() * outer_difference.real() + q.imag() * inner_difference.real()};
    x[at] = common + turned;
    x[5 - at] = common - turned;
  };
  pair(1, a, b);
  pair(2, b, std::conj(a));
}

/// By the definition.
template <class T>
void TransformAny(std::complex<T>* x, const std::vector<std::complex<T>>& roots) {
  std::complex<T> made[kLargestFactor];
  const std::size_t count = roots.size();
  for (std::size_t k = 0; k < count; ++k) {
    made[k] = x[0];
    for (std::size_t i = 1; i < count; ++i) made[k] += Times(x[i], roots[k * i % count]);
  }
  std::copy_n(made, count, x);
}

}  // namespace

template <class T>
Result<Fourier<T>> Fourier<T>::Of(std::int64_t length, bool inverse) {
  if (length < 1 || length > kLongest) {
    return Error{.code = length < 1 ? Code::kInvalidArgument : Code::kResourceExhausted,
                 .message = "a transform of length " + std::to_string(length) +
                            (length < 1 ? "" : " is too large")};
  }
  Fourier made;
  made.length_ = length;
  const auto factors = FactorsOf(static_cast<std::size_t>(length));
  if (std::ranges::any_of(factors, [](std::size_t factor) { return factor > kLargestFactor; })) {
    TRY(made.MakeChirp(inverse));
    return made;
  }
  std::size_t before = 1;
  for (const std::size_t factor : factors) {
    TRY(made.AddPass(factor, before, inverse));
    before *= factor;
  }
  return made;
}

template <class T>
Result<void> Fourier<T>::AddPass(std::size_t factor, std::size_t before, bool inverse) {
  const auto length = static_cast<std::size_t>(length_);
  Pass pass{.factor = factor,
            .before = before,
            .after = length / before / factor,
            .turns = {},
            .roots = {}};
  Pause pause;
  for (std::size_t j = 1; j < factor; ++j) {
    for (std::size_t i = 0; i < pass.after; ++i) {
      if (pause.MustStop(kTurnWork)) TRY(MayGoOn());
      pass.turns.push_back(static_cast<Complex>(Turn(j * before * i, length, inverse)));
    }
  }
  for (std::size_t i = 0; i < factor; ++i) {
    pass.roots.push_back(static_cast<Complex>(Turn(i, factor, inverse)));
  }
  passes_.push_back(std::move(pass));
  return {};
}

template <class T>
bool Fourier<T>::RunPass(const Pass& pass, const Complex* from, Complex* to) const {
  const std::size_t count = pass.factor;
  const bool back = count == 4 && pass.roots[1].imag() > 0;
  Complex x[kLargestFactor];
  Pause pause;
  for (std::size_t k = 0; k < pass.before; ++k) {
    for (std::size_t i = 0; i < pass.after; ++i) {
      if (pause.MustStop(kStepWork)) return false;
      for (std::size_t j = 0; j < count; ++j) x[j] = from[i + pass.after * (j + count * k)];
      if (count == 2) {
        Transform2(x);
      } else if (count == 3) {
        Transform3(x, pass.roots[1]);
      } else if (count == 4) {
        Transform4(x, back);
      } else if (count == 5) {
        Transform5(x, pass.roots[1], pass.roots[2]);
      } else {
        TransformAny(x, pass.roots);
      }
      to[i + pass.after * k] = x[0];
      for (std::size_t j = 1; j < count; ++j) {
        Complex& out = to[i + pass.after * (k + pass.before * j)];
        out = i == 0 ? x[j] : Times(x[j], pass.turns[(j - 1) * pass.after + i]);
      }
    }
  }
  return true;
}

template <class T>
Result<void> Fourier<T>::MakeChirp(bool inverse) {
  const auto count = static_cast<std::size_t>(length_);
  const std::size_t padded = std::bit_ceil(2 * count - 1);
  for (const bool back : {false, true}) {
    convolution_.push_back(TRY(Fourier<double>::Of(static_cast<std::int64_t>(padded), back)));
  }
  chirp_transform_.resize(padded);
  Pause pause;
  for (std::size_t i = 0; i < count; ++i) {
    if (pause.MustStop(kTurnWork)) TRY(MayGoOn());
    chirp_.push_back(Turn(i * i % (2 * count), 2 * count, inverse));
    const std::complex<double> conjugate = std::conj(chirp_.back());
    chirp_transform_[i] = conjugate;
    if (i > 0) chirp_transform_[padded - i] = conjugate;
  }
  CountedVector<std::complex<double>> work;
  convolution_[0].Run(chirp_transform_.data(), work);
  return {};
}

template <class T>
void Fourier<T>::RunChirp(Complex* data) const {
  CountedVector<std::complex<double>> line(chirp_transform_.size());
  CountedVector<std::complex<double>> work;
  for (std::size_t i = 0; i < chirp_.size(); ++i) {
    line[i] = Times(static_cast<std::complex<double>>(data[i]), chirp_[i]);
  }
  convolution_[0].Run(line.data(), work);
  for (std::size_t i = 0; i < line.size(); ++i) line[i] = Times(line[i], chirp_transform_[i]);
  convolution_[1].Run(line.data(), work);
  const double scale = 1.0 / static_cast<double>(line.size());
  for (std::size_t i = 0; i < chirp_.size(); ++i) {
    data[i] = static_cast<Complex>(Times(line[i], chirp_[i]) * scale);
  }
}

template <class T>
void Fourier<T>::Run(Complex* data, CountedVector<Complex>& work) const {
  if (!chirp_.empty()) return RunChirp(data);
  work.resize(static_cast<std::size_t>(length_));
  Complex* from = data;
  Complex* to = work.data();
  for (const Pass& pass : passes_) {
    if (!RunPass(pass, from, to)) return;
    std::swap(from, to);
  }
  if (from != data) std::copy_n(from, length_, data);
}

template class Fourier<float>;
template class Fourier<double>;

}  // namespace slipway::runtime
