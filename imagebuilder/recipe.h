// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "imagebuilder/file_state.h"
#include "imagebuilder/imagebuilder.h"

namespace slipway::imagebuilder {

class LayerTree;

/// Everything that decides a layer's bytes, known before they are made.
struct LayerRecipe {
  struct Item {
    FileEntry entry;  ///< arranged; a source has its digest or a state
    std::int64_t size = 0;
    std::optional<FileState> state = {};  ///< stands for a source's content in place of a digest
  };
  std::string name, summary;
  std::vector<Item> items = {};
  std::string key = {};  ///< of this machine: digest of name, items and the form of the archive
  std::int64_t unpacked_size = 0;
  /// Where the key was known first: gives the recipe with its items.
  std::function<Result<LayerRecipe>(BuildContext&)> complete = {};
};

/// The layer of these files, its key too. kInvalidArgument (id `Image.Spec`), kNotFound for a
/// source that is not there.
Result<LayerRecipe> MakeRecipe(const LayerType& type, std::vector<FileEntry> files,
                               BuildContext& context);

/// The layers an image of `spec` has, bottom first. kInvalidArgument (id `Image.Spec`),
/// kNotFound for a source that is not there.
Result<std::vector<LayerRecipe>> MakeRecipes(const BuildSpec& spec, BuildContext& context);

/// The same, of the layers alone that every image has.
Result<std::vector<LayerRecipe>> MakeRecipesOfAll(const BuildSpec& spec, BuildContext& context);

/// Packs, hashes and stores the layer; its tree too where there is one. kDataLoss (id
/// `Image.SourceChanged`) if a source does not have the bytes its digest promised, or was written
/// since its state was taken.
Result<Layer> PackLayer(const LayerRecipe& recipe, BuildContext& context,
                        LayerTree* tree = nullptr);

}  // namespace slipway::imagebuilder
