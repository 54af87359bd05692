// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "runtime/graph/differential.h"

/// What Loop and Scan become to be differentiated.
namespace slipway::runtime {

/// A node Fold: what a Loop is, that also goes through sequences, an item a trip, and gives
/// sequences of what the trips make.
struct Fold {
  MadeGraph body = {};  ///< of trip, condition, states and items; gives condition, states and more
  Term trips = {}, condition = {};
  Terms states = {}, items = {};
  bool reverse = false;  ///< items are taken last first, and what is given lies as they do

  /// Its outputs: the states after the last trip, and sequences.
  Terms Put(Tape& tape) const;
};

/// The gradients of its states, its items and what its body captures, in this order: by a Fold that
/// runs forward again and keeps what each trip begins with, and one that goes from the last trip to
/// the first, in each forward again and then back. `gradient`: of its outputs; `active`: the names
/// in its body that depend on variables.
Result<Terms> BackThroughFold(Tape& tape, const Fold& fold, const Terms& gradient,
                              const std::set<std::string>& active);

/// The sequence of the sums of the items of two.
Term SumOfItems(const Term& a, const Term& b);

}  // namespace slipway::runtime
