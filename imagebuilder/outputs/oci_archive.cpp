// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/staging.h"

namespace slipway::imagebuilder {
namespace {

Result<void> Write(const BlobStore& blobs, const Image& image, const std::string& reference,
                   const std::filesystem::path& destination) {
  return WriteArchive(blobs, TRY(LayoutFiles(image, reference)), destination);
}

}  // namespace

OutputType outputs_oci_archive() {
  return {
      .name = "oci-archive", .summary = "one tar file with an OCI image layout", .write = Write};
}

}  // namespace slipway::imagebuilder
