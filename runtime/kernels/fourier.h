// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "runtime/bounds.h"

namespace slipway::runtime {

/// Discrete Fourier transforms of one length, forward or back (without the factor 1/length), in
/// the precision of T: float or double. Immutable once made; thread-safe.
template <class T>
class Fourier {
 public:
  using Complex = std::complex<T>;

  /// kInvalidArgument for a length below 1, kResourceExhausted for one that is too large; as
  /// MayGoOn.
  static Result<Fourier> Of(std::int64_t length, bool inverse);

  std::int64_t length() const { return length_; }
  /// Transforms `length` numbers in place; `work` is the caller's, to be used again. Where the run
  /// is to end the numbers are left as they happen to be.
  void Run(Complex* data, CountedVector<Complex>& work) const;

 private:
  /// One factor of the length: transforms of its size, turned by `turns`.
  struct Pass {
    std::size_t factor = 1, before = 1, after = 1;  ///< before * factor * after == length
    CountedVector<Complex> turns;                   ///< [factor - 1][after]
    std::vector<Complex> roots;                     ///< of unity, `factor` of them
  };

  Result<void> AddPass(std::size_t factor, std::size_t before, bool inverse);
  bool RunPass(const Pass& pass, const Complex* from, Complex* to) const;
  Result<void> MakeChirp(bool inverse);
  void RunChirp(Complex* data) const;

  std::int64_t length_ = 1;
  std::vector<Pass> passes_;
  /// Lengths with a large prime factor are a convolution with a chirp, by transforms of a power
  /// of two (Bluestein's algorithm) in double: the chirp, the transform of its conjugate.
  CountedVector<std::complex<double>> chirp_, chirp_transform_;
  std::vector<Fourier<double>> convolution_;  ///< forward and back
};

extern template class Fourier<float>;
extern template class Fourier<double>;

}  // namespace slipway::runtime
