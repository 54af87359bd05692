// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "runtime/server/json_tensor.h"
#include "runtime/server/oip_form.h"

namespace slipway::server {
namespace {

using runtime::Tensor;

void AppendHead(const std::string& name, const Tensor& tensor, std::string& out) {
  out += R"({"name":)";
  AppendJsonString(name, out);
  out += fmt::format(R"(,"datatype":"{}","shape":[)", OipName(tensor.dtype()));
  for (std::int64_t axis = 0; axis < tensor.rank(); ++axis) {
    out += fmt::format("{}{}", axis == 0 ? "" : ",", tensor.dim(axis));
  }
  out += "],";
}

std::string ReplyHead(const ServedModel& model, const OipRequest& request) {
  std::string out = R"({"model_name":)";
  AppendJsonString(model.name, out);
  out += R"(,"model_version":)";
  AppendJsonString(model.version, out);
  if (request.has_id) {
    out += R"(,"id":)";
    AppendJsonString(request.id, out);
  }
  out += R"(,"outputs":[)";
  return out;
}

}  // namespace

Result<OipReply> WriteOip(const ServedModel& model, const OipRequest& request,
                          const std::vector<runtime::Value>& values) {
  const std::vector<std::string> names = OutputNames(model.model(), request.question.outputs);
  OipReply reply;
  std::string binary;
  bool any_binary = false, first = true;
  reply.body = ReplyHead(model, request);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tensor* tensor = values[i].tensor();
    if (tensor == nullptr || OipName(tensor->dtype()).empty()) {
      if (request.outputs.empty()) continue;
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("output '{}' has no form in this protocol", names[i]),
                   .id = "Output.NoTensor",
                   .fix = "ask /score in the plain JSON form"};
    }
    if (!first) reply.body += ',';
    first = false;
    AppendHead(names[i], *tensor, reply.body);
    if (request.outputs.empty() ? request.binary_output : request.outputs[i].binary) {
      const std::size_t before = binary.size();
      AppendOipBinary(*tensor, binary);
      any_binary = true;
      reply.body +=
          fmt::format(R"("parameters":{{"binary_data_size":{}}}}})", binary.size() - before);
    } else {
      reply.body += R"("data":)";
      TRY(AppendFlat(*tensor, reply.body));
      reply.body += '}';
    }
  }
  reply.body += "]}";
  if (any_binary) {
    reply.header_bytes = static_cast<std::int64_t>(reply.body.size());
    reply.body += binary;
  }
  return reply;
}

}  // namespace slipway::server
