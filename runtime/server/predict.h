// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http/http.h"
#include "runtime/server/route.h"
#include "runtime/server/scorer.h"

namespace slipway::server {

/// Answers a PredictRequest in the form, JSON or protobuf, that its Content-Type and Accept name.
/// kInvalidArgument (id `Request.MediaType`) for a media type that is neither.
Result<http::Response> AnswerPredict(Call& call, const ServedModel& model);

/// Whether the media type names the protobuf form.
bool IsProtoType(std::string_view media_type);

}  // namespace slipway::server
