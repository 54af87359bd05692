// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob_store.h"
#include "base/result.h"
#include "base/unit.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/python/lock.h"

/// Bills of materials: what an image consists of.
namespace slipway::imagebuilder {

/// Something that an image holds. Empty fields are not known.
struct Component {
  enum class Kind : std::uint8_t {
    kDebian,   ///< a package of the distribution
    kPython,   ///< an installed wheel
    kModel,    ///< a file of a registered model
    kScript,   ///< the scoring script, or a file beside it
    kProgram,  ///< of Slipway
    kLibrary,  ///< a shared library that came with Slipway's programs
  };
  Kind kind = Kind::kProgram;
  std::string name = {}, version = {};
  std::string architecture = {};        ///< kDebian
  std::string path = {};                ///< in the image: the file, or the record of the package
  std::string digest = {};              ///< `sha256:…` of the file, or of the package as fetched
  std::string license = {};             ///< as its author declares it, in any words
  std::string supplier = {};            ///< `NAME <ADDRESS>`
  std::string homepage = {}, url = {};  ///< `url`: where it was fetched
  std::string note = {};
  std::vector<std::string> needs = {};  ///< names of components of its kind
};

/// What an image consists of, sorted by kind and name.
struct Inventory {
  std::string distribution = {};  ///< ID of os-release: `debian`
  std::string release = {};       ///< its VERSION_ID: `12`
  std::vector<Component> components = {};
};

/// Reads the image's layers, verified on the way, files that upper layers remove left out: Debian's
/// package database, metadata and RECORD of installed wheels, the application's and Slipway's own
/// files. Untrusted bytes: what cannot be read as a record is left out, damaged layers are
/// kDataLoss (id `Image.Damaged`).
Result<Inventory> TakeInventory(const BlobStore& blobs, const Image& image);

/// Adds to packages of the inventory what the lock knows of them: their digests and addresses.
void AddLock(const PythonLock& lock, Inventory& inventory);

/// `pkg:deb/debian/zlib1g@1.2?arch=amd64&distro=debian-12`, `pkg:pypi/numpy@2.0`; empty for what is
/// no package. Source: package-url, PURL-SPECIFICATION.
std::string PackageUrl(const Component& component, const Inventory& inventory);

/// Whether it is an address that bills of materials may name as it is.
bool IsWebAddress(std::string_view text);

/// Who and what a bill of materials is about.
struct SbomSubject {
  std::string name, version;  ///< of the image
  std::string digest;         ///< of its manifest
  std::string created;        ///< RFC 3339, UTC, whole seconds
  std::string tool;           ///< version of Slipway that writes the bill
  const Inventory& inventory;
};

/// A form of bill of materials: one file a form in `sboms/`. The same subject gives the same bytes.
struct SbomForm {
  std::string_view name;  ///< `spdx`, `cyclonedx`
  std::string_view summary, media_type;
  std::string (*write)(const SbomSubject&) = nullptr;
};
std::span<const Unit<SbomForm>> sboms_table();
/// kInvalidArgument (id `Image.UnknownFormat`) listing the names there are.
Result<SbomForm> FindSbomForm(std::string_view name);

}  // namespace slipway::imagebuilder
