// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "runtime/tensor.h"

namespace slipway::runtime {

struct GraphData;

/// A file in memory, with weights that need not be there all the time. Tensors over its bytes come
/// in two kinds: one that *keeps* them has them in memory as long as it lives, as any tensor does;
/// one that only *names* them has a type, a shape and a place, and is looked into by nobody. When
/// the last tensor that keeps a weight goes, its pages are given back to the system; to keep it
/// again is to read it again. That succeeds whatever became of the file's name, and is an error
/// where its bytes are others than before (`Model.Changed`). While a weight is kept it counts as
/// that session's which was the first to keep it. Thread-safe.
class StoredBytes : public std::enable_shared_from_this<StoredBytes> {
 public:
  /// Reads a regular file whole, into memory that may be written to; counts as Tensor::Make does.
  static Result<std::shared_ptr<StoredBytes>> Read(const std::filesystem::path& path);
  /// A mapped file, whose pages come back by themselves.
  static std::shared_ptr<StoredBytes> Of(const std::filesystem::path& path,
                                         std::shared_ptr<const MappedFile> file);
  std::span<std::byte> bytes() const { return bytes_; }

  /// A tensor over the file's bytes from `offset` on, which lie at `at` among bytes(). It names
  /// them, from LetGoUnkept on: until then they are there.
  Tensor View(DType dtype, Shape shape, std::byte* at, std::int64_t offset);

 private:
  friend class StoredWeights;
  struct Weight;
  struct Naming;
  struct Keeping;

  std::string path_;
  UniqueFd file_;                ///< none: the memory is a mapping
  std::shared_ptr<void> owner_;  ///< of the memory
  std::span<std::byte> bytes_;
  std::mutex mutex_;  // guards what its weights hold
};

/// What is done with tensors that may lie in a StoredBytes; all others are left as they are.
class StoredWeights {
 public:
  /// The tensor with its bytes in memory. kResourceExhausted (`Run.MemoryLimit`) where the session
  /// may not have so many.
  static Result<Tensor> Keep(const Tensor& tensor);
  /// The tensor without a hold on its bytes.
  static Tensor Name(const Tensor& tensor);
  /// Whether the tensor only names bytes that may be gone.
  static bool IsNamed(const Tensor& tensor);
  /// Whether the tensor's bytes are in memory; true of all that are no stored weights.
  static bool AreThere(const Tensor& tensor);
  /// The same for all tensors of that weight, and there as long as its model.
  static std::shared_ptr<const void> Identity(const Tensor& tensor);
  /// Of a model's constants, those that count only while they are kept.
  static std::int64_t NamedBytes(const GraphData& graph);
  /// Has the weights among a model's values be let go of when nothing keeps them, but for those
  /// that something else has too.
  static void LetGoUnkept(const GraphData& graph);
};

}  // namespace slipway::runtime
