// SPDX-License-Identifier: Apache-2.0
#pragma once

// The JSON library as precompiled headers have it. Its two literals are plain functions, for which
// a compiler instantiates the whole parser in every file, used or not: here they are only declared.
#define _json(text, size) \
  _json(text, size);      \
  template <class>        \
  inline nlohmann::json NoLiteral(text, size)
#define _json_pointer(text, size) \
  _json_pointer(text, size);      \
  template <class>                \
  inline nlohmann::json::json_pointer NoPointerLiteral(text, size)
#include <nlohmann/json.hpp>
#undef _json
#undef _json_pointer
