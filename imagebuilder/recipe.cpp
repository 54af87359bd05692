// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/file.h"
#include "base/limits.h"
#include "imagebuilder/entries.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/tar.h"

namespace slipway::imagebuilder {
namespace {

/// Grows whenever the same items would give other bytes.
constexpr std::string_view kForm = "slipway layer 1: pax, gzip 6 in members of 1 MiB";

void AddField(std::string& text, std::string_view field) {
  fmt::format_to(std::back_inserter(text), "{}:{},", field.size(), field);
}

std::string KeyOf(const LayerRecipe& recipe) {
  std::string text;
  AddField(text, kForm);
  AddField(text, recipe.name);
  for (const auto& [entry, size] : recipe.items) {
    AddField(text, entry.path);
    AddField(text, std::to_string(static_cast<int>(entry.kind)));
    AddField(text, std::to_string(entry.mode));
    AddField(text, std::to_string(size));
    AddField(text, entry.source.empty() ? entry.text : entry.source_digest);
    AddField(text, entry.link_target);
  }
  return Digest::OfText(text).text();
}

Result<LayerRecipe::Item> MakeItem(FileEntry entry, LayerCache& cache) {
  if (entry.source.empty()) {
    const auto size = static_cast<std::int64_t>(entry.text.size());
    return LayerRecipe::Item{.entry = std::move(entry), .size = size};
  }
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(entry.source, failed);
  if (failed) return SystemError(entry.source.string(), failed.value());
  const auto bytes = TRY(Narrow<std::int64_t>(size));
  if (bytes > limits::kBlobBytes) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("{}: {} bytes are too many for a layer",
                                        entry.source.string(), bytes)};
  }
  if (entry.source_digest.empty()) {
    entry.source_digest = TRY(cache.FileDigest(entry.source));
  } else {
    entry.source_digest = TRY(Digest::Parse(entry.source_digest)).text();
  }
  return LayerRecipe::Item{.entry = std::move(entry), .size = bytes};
}

Result<LayerRecipe> MakeRecipe(const LayerType& type, std::vector<FileEntry> files,
                               BuildContext& context) {
  LayerRecipe recipe{.name = std::string(type.name),
                     .summary = std::string(type.summary),
                     .items = {},
                     .key = {},
                     .unpacked_size = static_cast<std::int64_t>(TarEnd().size())};
  std::vector<FileEntry> arranged = TRY(ArrangeEntries(std::move(files)));
  for (FileEntry& entry : arranged) {
    if (context.cancelled && context.cancelled()) return Cancelled();
    recipe.items.push_back(TRY(MakeItem(std::move(entry), context.cache)));
    const auto& [item, size] = recipe.items.back();
    const std::int64_t bytes = TarMemberBytes({.path = item.path,
                                               .kind = item.kind,
                                               .mode = item.mode,
                                               .size = size,
                                               .link_target = item.link_target});
    recipe.unpacked_size = TRY(CheckedAdd(recipe.unpacked_size, bytes, "the layer"));
  }
  if (recipe.unpacked_size > limits::kBlobBytes) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("layer {} would have {} bytes, {} are allowed", recipe.name,
                                        recipe.unpacked_size, limits::kBlobBytes)};
  }
  recipe.key = KeyOf(recipe);
  return recipe;
}

}  // namespace

Result<std::vector<LayerRecipe>> MakeRecipes(const BuildSpec& spec, BuildContext& context) {
  std::vector<LayerType> types;
  for (const Unit<LayerType>& unit : layers_table()) types.push_back(unit.make());
  std::ranges::sort(types, {},
                    [](const LayerType& type) { return std::pair(type.order, type.name); });
  std::vector<LayerRecipe> recipes;
  for (const LayerType& type : types) {
    std::vector<FileEntry> files = TRY(type.files(spec));
    if (files.empty()) continue;
    auto recipe = MakeRecipe(type, std::move(files), context);
    if (!recipe) return Within(fmt::format("layer {}", type.name), std::move(recipe).error());
    recipes.push_back(*std::move(recipe));
  }
  return recipes;
}

}  // namespace slipway::imagebuilder
