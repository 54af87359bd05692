// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "base/digest.h"
#include "base/limits.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/layer_tree.h"
#include "imagebuilder/manifest.h"
#include "imagebuilder/recipe.h"
#include "imagebuilder/spec.h"
#include "imagebuilder/unpack.h"

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

std::optional<Layer> TakeCached(const LayerRecipe& recipe, BuildContext& context) {
  std::optional<Layer> cached = FindLayer(recipe, context);
  if (cached) Say(context, fmt::format("layer {}: cached", recipe.name));
  return cached;
}

Result<Layer> StoreLayer(const LayerRecipe& recipe, BuildContext& context,
                         const TreePlaces* places) {
  Say(context, fmt::format("layer {}: packing {} bytes", recipe.name, recipe.unpacked_size));
  std::optional<LayerTree> tree;
  if (places != nullptr) tree.emplace(*places);
  auto layer = PackLayer(recipe, context, tree ? &*tree : nullptr);
  if (!layer) return Within(fmt::format("layer {}", recipe.name), std::move(layer).error());
  if (tree) static_cast<void>(tree->Finish(*layer).has_value());
  context.cache.Put(recipe.key, *layer);
  Say(context, fmt::format("layer {}: stored {}, {} bytes", recipe.name, layer->blob.digest,
                           layer->blob.size));
  return layer;
}

/// Packs the layer unless it is there; with `places`, a tree of it on the way. Its turn is held.
Result<Layer> MakeInTurn(const LayerRecipe& recipe, BuildContext& context,
                         const TreePlaces* places = nullptr) {
  if (std::optional<Layer> cached = TakeCached(recipe, context)) return *std::move(cached);
  if (recipe.complete) {
    auto full = recipe.complete(context);
    if (!full) return Within(fmt::format("layer {}", recipe.name), std::move(full).error());
    return StoreLayer(*full, context, places);
  }
  return StoreLayer(recipe, context, places);
}

/// The same, once nobody else is at it.
Result<Layer> MakeLayer(const LayerRecipe& recipe, BuildContext& context,
                        const TreePlaces* places = nullptr) {
  const Turns::Turn turn = TRY(context.cache.turns().Take(recipe.key, context.cancelled));
  return MakeInTurn(recipe, context, places);
}

/// By recipe, the layers that need wait for nothing: neither for another build that is packing
/// them nor for those below.
Result<std::vector<std::optional<Layer>>> MakeWithoutWaiting(
    const std::vector<LayerRecipe>& recipes, BuildContext& context) {
  std::vector<std::optional<Layer>> layers(recipes.size());
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    if (recipes[i].complete) continue;
    if (context.cancelled && context.cancelled()) return Cancelled();
    const std::optional<Turns::Turn> turn = context.cache.turns().TryTake(recipes[i].key);
    if (turn) layers[i] = TRY(MakeInTurn(recipes[i], context));
  }
  return layers;
}

}  // namespace

Result<ImagePlan> Plan(const BuildSpec& given, BuildContext& context) {
  const BuildSpec spec = TRY(NormalSpec(given));
  const ImageConfig config = TRY(MakeConfig(spec));
  const std::vector<LayerRecipe> recipes = TRY(MakeRecipes(spec, context));
  ImagePlan plan;
  std::vector<Layer> layers = spec.base_layers;
  for (const Layer& layer : spec.base_layers) {
    plan.layers.push_back({.name = layer.name,
                           .summary = layer.summary,
                           .key = layer.blob.digest,
                           .unpacked_size = layer.unpacked_size,
                           .cached = layer});
  }
  for (const LayerRecipe& recipe : recipes) {
    std::optional<Layer> cached = FindLayer(recipe, context);
    if (cached) layers.push_back(*cached);
    plan.layers.push_back({.name = recipe.name,
                           .summary = recipe.summary,
                           .key = recipe.key,
                           .unpacked_size = cached ? cached->unpacked_size : recipe.unpacked_size,
                           .cached = std::move(cached)});
  }
  if (layers.size() == plan.layers.size()) {
    plan.digest = Describe(config, std::move(layers)).image.manifest.digest;
  }
  return plan;
}

Result<Image> Build(const BuildSpec& given, BuildContext& context) {
  const BuildSpec spec = TRY(NormalSpec(given));
  const ImageConfig config = TRY(MakeConfig(spec));
  const std::vector<LayerRecipe> recipes = TRY(MakeRecipes(spec, context));
  if (std::cmp_greater(spec.base_layers.size() + recipes.size(), limits::kImageLayers)) {
    return SpecError(fmt::format("the base has {} layers, an image can have {}",
                                 spec.base_layers.size(), limits::kImageLayers));
  }
  std::vector<std::optional<Layer>> made = TRY(MakeWithoutWaiting(recipes, context));
  std::vector<Layer> layers = spec.base_layers;
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    if (context.cancelled && context.cancelled()) return Cancelled();
    context.below = layers;
    layers.push_back(made[i] ? *std::move(made[i]) : TRY(MakeLayer(recipes[i], context)));
  }
  const Documents documents = Describe(config, std::move(layers));
  TRY(PutOnce(context.blobs, documents.image.config, documents.config));
  TRY(PutOnce(context.blobs, documents.image.manifest, documents.manifest));
  Say(context, fmt::format("image: {}", documents.image.manifest.digest));
  return documents.image;
}

Result<std::vector<Layer>> PackAhead(const BuildSpec& spec, BuildContext& context,
                                     const TreePlaces& places) {
  std::vector<Layer> layers;
  for (const LayerRecipe& recipe : TRY(MakeRecipesOfAll(spec, context))) {
    layers.push_back(TRY(MakeLayer(recipe, context, &places)));
    TRY(UnpackLayer(context.blobs, layers.back(), places.shared));
  }
  return layers;
}

}  // namespace slipway::imagebuilder
