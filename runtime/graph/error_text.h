// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace slipway::runtime {

/// The error as one readable line of bounded length, whatever the names are that a model brings
/// into it.
Error Readable(Error error);

/// The same for the error of a result.
template <class T>
Result<T> Readable(Result<T> result) {
  if (result) return result;
  return Readable(std::move(result).error());
}

}  // namespace slipway::runtime
