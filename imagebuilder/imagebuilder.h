// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob_store.h"
#include "base/digest.h"
#include "base/result.h"
#include "base/unit.h"
#include "imagebuilder/python/docker_steps.h"
#include "imagebuilder/python/lock.h"
#include "imagebuilder/turns.h"

namespace slipway::imagebuilder {

/// A file, folder or symbolic link that a layer puts into the image. The content is text or a
/// file on this machine; owner, group and times are always 0.
struct FileEntry {
  enum class Kind : std::uint8_t { kFile, kFolder, kSymlink };
  std::string path;  ///< in the image, absolute
  Kind kind = Kind::kFile;
  unsigned mode = 0644;
  std::string text = {};              ///< a file's content, if `source` is empty
  std::filesystem::path source = {};  ///< file to copy
  std::string source_digest = {};     ///< known digest of `source`; may be empty
  std::string link_target = {};
  bool removes = false;  ///< an empty file: what lower layers have at `path` is not in the image
};

/// A model as the image carries it: `/var/azureml-app/azureml-models/<name>/<version>/<path>`.
struct ModelInput {
  struct File {
    std::string path;                   ///< relative
    std::filesystem::path source = {};  ///< where its bytes are
    std::string digest = {};            ///< empty: to be computed
    std::int64_t size = 0;
  };
  std::string name;
  std::int64_t version = 0;
  std::string main_file;
  std::vector<File> files;
};

/// What a manifest says of one of its parts. Source: OCI image-spec, descriptor.md.
struct Descriptor {
  std::string media_type;
  std::string digest;
  std::int64_t size = 0;
  bool operator==(const Descriptor&) const = default;
};

/// One layer of an image; its compressed bytes are a blob.
struct Layer {
  std::string name;     ///< unit that made it: `server`, `model`
  std::string summary;  ///< one line for people
  Descriptor blob;      ///< gzip
  std::string diff_id;  ///< digest of the plain tar
  std::int64_t unpacked_size = 0;
  bool operator==(const Layer&) const = default;
};

class PythonTools;

/// A file that goes into the image's application folder, `/var/azureml-app/<path>`.
struct AppFile {
  std::string path;                   ///< relative
  std::filesystem::path source = {};  ///< where its bytes are
  std::string digest = {};
};

/// What an image with Python has beyond one without.
struct PythonSpec {
  PythonLock lock;
  std::string entry;                     ///< the scoring script: one of `files`
  std::vector<AppFile> files = {};       ///< the script and what lies beside it
  std::filesystem::path modules = {};    ///< folder of Slipway's Python folders of this build
  std::filesystem::path library = {};    ///< libslipway.so.1, which they load; may be empty
  std::vector<DockerStep> steps = {};    ///< run in a container of what is below
  std::filesystem::path base_root = {};  ///< a given base, unpacked, where the lock names one
  std::map<std::string, std::string> base_environment = {};
  std::map<std::string, std::string> base_labels = {};
};

/// Everything an image is made of. Same spec, same digest.
struct BuildSpec {
  std::vector<ModelInput> models;
  std::filesystem::path server_program;  ///< slipway-serve of this build
  /// Shared libraries that it loads for some operators; in any order.
  std::set<std::filesystem::path> libraries = {};
  std::map<std::string, std::string> environment = {};
  std::map<std::string, std::string> labels = {};
  std::string architecture = "amd64";
  int port = 5001;
  std::shared_ptr<const PythonSpec> python = {};  ///< none: the server alone scores
  std::vector<Layer> base_layers = {};            ///< of a given base, taken as they are
};

/// A built image: blobs of manifest, config and layers are all stored. Immutable.
struct Image {
  Descriptor manifest;
  Descriptor config;
  std::vector<Layer> layers;
  std::int64_t compressed_size = 0;  ///< manifest, config and layers
};

/// Remembers which inputs gave which layer, so that a layer is made once. Thread-safe.
class LayerCache {
 public:
  virtual ~LayerCache() = default;
  virtual std::optional<Layer> Find(const std::string& key) = 0;
  virtual void Put(const std::string& key, const Layer& layer) = 0;
  /// By layer key: builds that need one layer at a time have it packed by the first of them.
  virtual Turns& turns() = 0;
};
/// A cache that lives as long as the object.
std::unique_ptr<LayerCache> MakeMemoryLayerCache();

struct BuildContext {
  BlobStore& blobs;
  LayerCache& cache;
  /// Told about each phase: `layer server: cached`. May be empty.
  std::function<void(std::string_view)> progress = {};
  /// Polled between pieces of work; true ends the build with kUnavailable, id `Image.Cancelled`.
  std::function<bool()> cancelled = {};
  PythonTools* tools = nullptr;        ///< for images with Python
  std::filesystem::path scratch = {};  ///< for trees that become layers; the caller removes it
  std::vector<Layer> below = {};       ///< layers made so far
};

/// A kind of layer: lists entries, and one shared writer sorts them, adds parents, clears owner
/// and times, packs and hashes, so that every layer is reproducible.
struct LayerType {
  std::string_view name;
  int order = 0;  ///< bottom first
  std::string_view summary;
  /// Empty list: this image has no such layer.
  Result<std::vector<FileEntry>> (*files)(const BuildSpec&, BuildContext&) = nullptr;
  /// Made of the server program alone, the same in all images: PackAhead makes it.
  bool in_all_images = false;
  /// What decides the layer, where that is known without its files; these are then listed only
  /// when the layer is not remembered. Nothing: this image has no such layer. May be null.
  Result<std::optional<std::string>> (*key)(const BuildSpec&) = nullptr;
};
std::span<const Unit<LayerType>> layers_table();

/// What a build would give, without building: which layers there are already.
struct PlannedLayer {
  std::string name, summary, key;
  std::int64_t unpacked_size = 0;
  std::optional<Layer> cached;
};
struct ImagePlan {
  std::vector<PlannedLayer> layers;
  std::string digest;  ///< of the manifest, if every layer is cached; empty otherwise
};
Result<ImagePlan> Plan(const BuildSpec& spec, BuildContext& context);

/// Builds the image and stores its blobs. kInvalidArgument (id `Image.Spec`), kNotFound.
Result<Image> Build(const BuildSpec& spec, BuildContext& context);

/// Where the tree of a layer is put that is packed before an image needs it.
struct TreePlaces {
  std::filesystem::path shared;   ///< of Unpack
  std::filesystem::path scratch;  ///< on the same file system, for temporary files
};
/// Packs, and unpacks on the way, the layers that every image has, so that the first image finds
/// them made. `spec` needs the server program only.
Result<std::vector<Layer>> PackAhead(const BuildSpec& spec, BuildContext& context,
                                     const TreePlaces& places);

/// Reads an image back from its manifest blob, everything verified against the OCI rules.
Result<Image> Load(const BlobStore& blobs, const std::string& manifest_digest);

/// Checks manifest, config and layers against each other: digests, sizes, diff_ids, media types,
/// paths inside the root, sorted entries. kDataLoss naming the first thing that is wrong.
Result<void> Validate(const BlobStore& blobs, const Image& image);

/// What the image runs: from its config blob.
struct RunConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> environment;
  std::string working_folder;
  int port = 0;
};
Result<RunConfig> ReadRunConfig(const BlobStore& blobs, const Image& image);

/// Unpacks the layers into `folder`/rootfs, whole or not at all; again is no work. Layers are
/// unpacked once under `shared` and hard-linked. Device nodes, set-id bits and paths that leave
/// the root are refused.
Result<std::filesystem::path> Unpack(const BlobStore& blobs, const Image& image,
                                     const std::filesystem::path& folder,
                                     const std::filesystem::path& shared);

/// A form in which an image leaves the workspace.
struct OutputType {
  std::string_view name;  ///< `oci-dir`, `oci-archive`, `docker-archive`
  std::string_view summary;
  /// Writes to `destination`, which must not exist (kAlreadyExists); nothing stays on failure.
  Result<void> (*write)(const BlobStore&, const Image&, const std::string& reference,
                        const std::filesystem::path& destination) = nullptr;
};
std::span<const Unit<OutputType>> outputs_table();
/// kInvalidArgument listing the names there are.
Result<OutputType> FindOutput(std::string_view name);

}  // namespace slipway::imagebuilder
