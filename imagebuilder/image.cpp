// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "base/digest.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/manifest.h"
#include "imagebuilder/recipe.h"
#include "imagebuilder/spec.h"

namespace slipway::imagebuilder {
namespace {

void Say(const BuildContext& context, const std::string& line) {
  if (context.progress) context.progress(line);
}

/// A remembered layer counts only while its blob is stored.
std::optional<Layer> FindLayer(const LayerRecipe& recipe, BuildContext& context) {
  std::optional<Layer> layer = context.cache.Find(recipe.key);
  if (!layer) return std::nullopt;
  const auto digest = Digest::Parse(layer->blob.digest);
  if (!digest) return std::nullopt;
  const auto size = context.blobs.Size(*digest);
  if (!size || *size != layer->blob.size) return std::nullopt;
  layer->name = recipe.name;
  layer->summary = recipe.summary;
  return layer;
}

Descriptor DescriptorOf(std::string_view media_type, std::string_view text) {
  return {.media_type = std::string(media_type),
          .digest = Digest::OfText(text).text(),
          .size = static_cast<std::int64_t>(text.size())};
}

Result<void> PutOnce(BlobStore& blobs, const Descriptor& descriptor, std::string_view text) {
  const auto stored = blobs.Size(TRY(Digest::Parse(descriptor.digest)));
  if (stored && *stored == descriptor.size) return {};
  TRY(blobs.PutText(text));
  return {};
}

struct Documents {
  std::string config, manifest;
  Image image;
};

Documents Describe(const ImageConfig& config, std::vector<Layer> layers) {
  Documents documents;
  documents.config = ConfigText(config, layers);
  Image& image = documents.image;
  image.config = DescriptorOf(kConfigType, documents.config);
  documents.manifest = ManifestText(image.config, layers);
  image.manifest = DescriptorOf(kManifestType, documents.manifest);
  image.compressed_size = image.manifest.size + image.config.size;
  for (const Layer& layer : layers) image.compressed_size += layer.blob.size;
  image.layers = std::move(layers);
  return documents;
}

Result<Layer> MakeLayer(const LayerRecipe& recipe, BuildContext& context) {
  if (std::optional<Layer> cached = FindLayer(recipe, context)) {
    Say(context, fmt::format("layer {}: cached", recipe.name));
    return *std::move(cached);
  }
  Say(context, fmt::format("layer {}: packing {} bytes", recipe.name, recipe.unpacked_size));
  auto layer = PackLayer(recipe, context);
  if (!layer) return Within(fmt::format("layer {}", recipe.name), std::move(layer).error());
  context.cache.Put(recipe.key, *layer);
  Say(context, fmt::format("layer {}: stored {}, {} bytes", recipe.name, layer->blob.digest,
                           layer->blob.size));
  return layer;
}

}  // namespace

Result<ImagePlan> Plan(const BuildSpec& given, BuildContext& context) {
  const BuildSpec spec = TRY(NormalSpec(given));
  const ImageConfig config = TRY(MakeConfig(spec));
  const std::vector<LayerRecipe> recipes = TRY(MakeRecipes(spec, context));
  ImagePlan plan;
  std::vector<Layer> layers;
  for (const LayerRecipe& recipe : recipes) {
    std::optional<Layer> cached = FindLayer(recipe, context);
    if (cached) layers.push_back(*cached);
    plan.layers.push_back({.name = recipe.name,
                           .summary = recipe.summary,
                           .key = recipe.key,
                           .unpacked_size = recipe.unpacked_size,
                           .cached = std::move(cached)});
  }
  if (layers.size() == recipes.size()) {
    plan.digest = Describe(config, std::move(layers)).image.manifest.digest;
  }
  return plan;
}

Result<Image> Build(const BuildSpec& given, BuildContext& context) {
  const BuildSpec spec = TRY(NormalSpec(given));
  const ImageConfig config = TRY(MakeConfig(spec));
  const std::vector<LayerRecipe> recipes = TRY(MakeRecipes(spec, context));
  std::vector<Layer> layers;
  for (const LayerRecipe& recipe : recipes) {
    if (context.cancelled && context.cancelled()) return Cancelled();
    layers.push_back(TRY(MakeLayer(recipe, context)));
  }
  const Documents documents = Describe(config, std::move(layers));
  TRY(PutOnce(context.blobs, documents.image.config, documents.config));
  TRY(PutOnce(context.blobs, documents.image.manifest, documents.manifest));
  Say(context, fmt::format("image: {}", documents.image.manifest.digest));
  return documents.image;
}

}  // namespace slipway::imagebuilder
