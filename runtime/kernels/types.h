// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "runtime/op.h"

/// Vocabulary of the operators' schemas.
namespace slipway::runtime {

inline constexpr DTypeSet kFloat32Type = Types({DType::kFloat32});
inline constexpr DTypeSet kWideNumbers =
    kFloatTypes | Types({DType::kInt32, DType::kInt64, DType::kUint32, DType::kUint64});
inline constexpr DTypeSet kWideNumbersB = kWideNumbers | Types({DType::kBfloat16});
/// "All tensor types" as the standard's versions 13, 19, 21, 23, 24 and 25 have them.
inline constexpr DTypeSet kTypes13 = kClassicTypes | Types({DType::kBfloat16});
inline constexpr DTypeSet kTypes19 = kTypes13 | kFloat8Types;
inline constexpr DTypeSet kTypes21 = kTypes19 | Types({DType::kUint4, DType::kInt4});
inline constexpr DTypeSet kTypes23 = kTypes21 | Types({DType::kFloat4E2M1});
inline constexpr DTypeSet kTypes24 = kTypes23 | Types({DType::kFloat8E8M0});
inline constexpr DTypeSet kTypes25 = kTypes24 | Types({DType::kUint2, DType::kInt2});

/// Type rules of signatures that use the variables T; T and T1; T1 and T2; ...
template <DTypeSet T>
inline constexpr TypeRule kT[] = {{"T", T}};
template <DTypeSet T, DTypeSet T1>
inline constexpr TypeRule kTT1[] = {{"T", T}, {"T1", T1}};
template <DTypeSet T1, DTypeSet T2>
inline constexpr TypeRule kT1T2[] = {{"T1", T1}, {"T2", T2}};
template <DTypeSet T1, DTypeSet T2, DTypeSet T3>
inline constexpr TypeRule kT1T2T3[] = {{"T1", T1}, {"T2", T2}, {"T3", T3}};
template <DTypeSet T, DTypeSet Tind>
inline constexpr TypeRule kTTind[] = {{"T", T}, {"Tind", Tind}};
template <DTypeSet T, DTypeSet I>
inline constexpr TypeRule kTI[] = {{"T", T}, {"I", I}};

/// Rows of a table, versions of one operator ascending and next to each other; fills in `until`
/// as one before the next version of the same operator.
template <std::size_t N>
consteval std::array<OpDef, N> Versions(const OpDef (&rows)[N]) {
  std::array<OpDef, N> table{};
  for (std::size_t i = 0; i < N; ++i) {
    table[i] = rows[i];
    if (i + 1 < N && rows[i + 1].type == rows[i].type && rows[i + 1].domain == rows[i].domain) {
      table[i].until = rows[i + 1].since - 1;
    }
  }
  return table;
}

/// Joins tables.
template <std::size_t N, std::size_t M>
consteval std::array<OpDef, N + M> operator+(const std::array<OpDef, N>& a,
                                             const std::array<OpDef, M>& b) {
  std::array<OpDef, N + M> table{};
  for (std::size_t i = 0; i < N; ++i) table[i] = a[i];
  for (std::size_t i = 0; i < M; ++i) table[N + i] = b[i];
  return table;
}

}  // namespace slipway::runtime
