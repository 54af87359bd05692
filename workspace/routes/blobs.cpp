// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "workspace/answers.h"
#include "workspace/workspace.h"

namespace slipway::workspace {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;

Result<Digest> FindDigest(Call& call, Workspace& workspace) {
  TRY(workspace.store().GetWorkspace(call.Param("w")));
  return Digest::Parse(call.Param("digest"));
}

Result<void> CopyBody(http::Request& request, BlobStore::Writer& writer) {
  if (!request.body_reader) return writer.Write(std::as_bytes(std::span(request.body)));
  std::vector<std::byte> piece(kPieceBytes);
  while (true) {
    const std::size_t size = TRY(request.body_reader->Read(piece));
    if (size == 0) return {};
    TRY(writer.Write(std::span(piece).first(size)));
  }
}

/// The same failure in terms of the request.
Error UploadError(Error error) {
  if (error.id == "Blob.DigestMismatch") error.code = Code::kInvalidArgument;
  return error;
}

Result<BlobStore::Stored> StoreBody(Call& call, Workspace& workspace, const Digest& digest) {
  const std::unique_ptr<BlobStore::Writer> writer =
      TRY(workspace.blobs().NewWriter(digest, limits::kBlobBytes));
  TRY(CopyBody(call.request, *writer));
  return writer->Commit();
}

Result<http::Response> Put(Call& call, Workspace& workspace) {
  const Digest digest = TRY(FindDigest(call, workspace));
  const bool was_there = workspace.blobs().Has(digest);
  const Result<BlobStore::Stored> stored = StoreBody(call, workspace, digest);
  if (!stored) return UploadError(stored.error());
  const Json body{{"digest", stored->digest.text()}, {"size", stored->size}};
  return ObjectResponse(was_there ? 200 : 201, body);
}

Result<http::Response> Get(Call& call, Workspace& workspace) {
  const Digest digest = TRY(FindDigest(call, workspace));
  return FileResponse(call, TRY(workspace.blobs().Path(digest)), {.etag = digest.text()});
}

}  // namespace

RouteList routes_blobs() {
  static constexpr std::string_view kPath = "/api/v1/workspaces/{w}/blobs/{digest}";
  static constexpr Route kRoutes[] = {
      {"HEAD", kPath, "Say whether a blob is there, and its size", Get, Role::kReader},
      {"GET", kPath, "Read a blob, or a range of it", Get, Role::kReader},
      {"PUT", kPath, "Store a blob; its content must have the digest", Put, Role::kContributor},
  };
  return kRoutes;
}

}  // namespace slipway::workspace
