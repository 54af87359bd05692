// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workspace/api.h"

/// What programs for the v1 control plane ask to be made or changed, as requests of the workspace
/// service. Members that are null count as absent; unknown ones are refused with the nearest known.
/// Where v1 has a file's URL, the file is a blob: `…/api/v1/workspaces/W/blobs/DIGEST[?path=NAME]`
/// or `DIGEST`. Source: the public description "Machine Learning Model Management Service", v1.0.
namespace slipway::workspace {

/// An archive whose files are meant, and the one file that is meant otherwise.
struct V1ModelRequest {
  api::RegisterModel model;
  std::string archive;  ///< digest; empty: `model` has its file
};
Result<V1ModelRequest> ReadV1Model(std::string_view body, std::string_view workspace);

struct V1ImageRequest {
  api::CreateImage image;
  std::vector<std::string> archives;  ///< digests: their files are dependencies too
};
/// kUnimplemented (id `Image.Runtime`) for what is no Python in Docker.
Result<V1ImageRequest> ReadV1Image(std::string_view body, std::string_view workspace);

/// What is neither name nor image nor label is the deployment. kUnimplemented (id
/// `Service.CreationMode`) for a service that is not made of an image.
Result<api::CreateService> ReadV1Service(std::string_view body);

/// `{"keyType": "Primary" | "Secondary", "keyValue": …}`.
Result<api::SetServiceKey> ReadV1Key(std::string_view body);

/// What can be told of an object, as it is now.
struct V1Labels {
  std::string description;
  std::vector<std::string> tags;
  api::TextMap kv_tags, properties;
};
/// A JSON Patch (RFC 6902) on `description`, `tags`, `kvTags` and `properties`. kInvalidArgument
/// (id `Request.Patch`) for one that does not fit the object, or another member.
Result<api::UpdateModel> ReadV1Patch(std::string_view body, const V1Labels& now);
/// The same on a service: `imageId` and the members of a deployment too.
Result<api::UpdateService> ReadV1ServicePatch(std::string_view body, const V1Labels& now,
                                              const std::string& image);

}  // namespace slipway::workspace
