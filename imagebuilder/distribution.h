// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/blob_store.h"
#include "base/clock.h"
#include "base/http/client.h"
#include "base/result.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

/// `HOST[:PORT]/NAME[:TAG][@DIGEST]`, the host written out.
struct RegistryReference {
  std::string host;        ///< `registry.example.com:5000`
  std::string repository;  ///< `team/digits`
  std::string tag;         ///< `latest` where neither tag nor digest is given
  std::string digest;      ///< empty, or what the manifest must have
  /// The same for a cluster: `HOST/NAME@DIGEST`.
  std::string At(std::string_view manifest_digest) const;
};
/// kInvalidArgument (id `Image.Reference`), also for one without a host, which tools disagree on.
Result<RegistryReference> ParseRegistryReference(std::string_view text);

/// Who logs in to a registry; all empty: nobody.
struct RegistryLogin {
  std::string username = {}, password = {};
  std::string identity_token = {};  ///< OAuth2 refresh token instead of a password
};
/// Whom to trust as the registry beside those whom the machine trusts, and what to show it; PEM.
struct RegistryTrust {
  std::string ca_pem = {}, certificate_pem = {}, key_pem = {};
};

struct RegistryOptions {
  RegistryLogin login = {};
  RegistryTrust trust = {};
  bool plain_http = false;  ///< without TLS; for a host of this machine unless `trust` has a CA
  std::int64_t chunk_bytes = 0;  ///< of an upload; 0: as one piece
  int tries = 4;                 ///< of a blob, each going on where the last one stopped
  std::function<void(std::string_view)> progress = {};
  std::function<bool()> cancelled = {};
};

/// A registry, for the images of one repository. Not thread-safe. Errors: `Registry.Unauthorized`,
/// `Registry.Denied`, `Registry.NotFound`, `Registry.Unreachable`, `Registry.Untrusted`,
/// `Registry.Refused`, `Registry.DigestMismatch`; none holds a secret. Source: OCI
/// distribution-spec 1.1, and distribution's token authentication.
class Registry {
 public:
  /// The references must outlive it.
  static std::unique_ptr<Registry> Open(RegistryReference reference, RegistryOptions options,
                                        Clock& clock = SystemClock());
  virtual ~Registry() = default;

  /// Whether the repository has a manifest of that digest.
  virtual Result<bool> Has(const std::string& manifest_digest) = 0;
  /// Uploads what the registry does not have, then the manifest under tag or digest. Says the
  /// manifest's digest.
  virtual Result<std::string> Push(const BlobStore& blobs, const Image& image) = 0;
  /// Downloads an image into the store, each blob verified; of an index the one for
  /// `architecture`. A Docker manifest is stored in its OCI form, of another digest.
  virtual Result<Image> Pull(BlobStore& blobs, std::string_view architecture = "amd64") = 0;
};

}  // namespace slipway::imagebuilder
