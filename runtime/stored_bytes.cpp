// SPDX-License-Identifier: Apache-2.0
#include "runtime/stored_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <map>

#include "runtime/bounds.h"
#include "runtime/graph/graph.h"

namespace slipway::runtime {
namespace {

/// Smaller tensors stay: there is little to gain, and what passes read of constants is small.
constexpr std::int64_t kLeastBytes = std::int64_t{64} << 10;

/// Tells files apart that changed by mistake, in one quick pass; nobody is to be kept from making
/// two alike.
std::uint64_t Fingerprint(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
  constexpr std::size_t kLanes = 4;
  constexpr std::size_t kBlock = kLanes * sizeof(std::uint64_t);
  std::uint64_t lanes[kLanes] = {1, 2, 3, bytes.size()};
  const auto add = [&](const std::byte* from) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      std::uint64_t word = 0;
      std::memcpy(&word, from + lane * sizeof(word), sizeof(word));
      lanes[lane] = std::rotl((lanes[lane] ^ word) * kOdd, 29);
    }
  };
  const std::size_t whole = bytes.size() / kBlock * kBlock;
  for (std::size_t at = 0; at < whole; at += kBlock) add(bytes.data() + at);
  std::byte rest[kBlock] = {};
  std::memcpy(rest, bytes.data() + whole, bytes.size() - whole);
  add(rest);
  std::uint64_t all = 0;
  for (const std::uint64_t lane : lanes) all = std::rotl((all ^ lane) * kOdd, 31);
  return all;
}

/// Reads what lies at `offset`. False where the file ends before.
Result<bool> ReadAll(int file, std::span<std::byte> into, std::int64_t offset,
                     const std::string& name) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count = ::pread(file, into.data() + done, into.size() - done,
                                  offset + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(name, errno);
    if (count == 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

/// Gives the pages that lie wholly inside back to the system.
void DropPages(std::span<std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (first >= last) return;
  std::byte* const at = bytes.data() + (first - reinterpret_cast<std::uintptr_t>(bytes.data()));
  (void)::madvise(at, last - first, MADV_DONTNEED);
}

/// So many bytes of the session's budget that the calling thread works for, as long as this lives;
/// null where there is none.
Result<std::shared_ptr<const void>> Counted(std::int64_t bytes) {
  const Bounds* bounds = CurrentBounds();
  const auto budget = bounds == nullptr ? nullptr : bounds->memory();
  if (budget == nullptr) return std::shared_ptr<const void>();
  if (!budget->Take(bytes)) return MemoryLimitError(*budget, bytes, "weights");
  return std::shared_ptr<const void>(budget.get(),
                                     [budget, bytes](const void*) { budget->Give(bytes); });
}

}  // namespace

/// A tensor's bytes, wherever in the file.
struct StoredBytes::Weight {
  std::shared_ptr<StoredBytes> store;
  std::span<std::byte> bytes;
  std::int64_t offset = 0;
  bool may_go = false;  ///< set before sessions know of it; what follows is guarded by the store
  bool there = true;
  std::uint64_t fingerprint = 0;        ///< of what was let go
  std::weak_ptr<const void> kept = {};  ///< what tensors that keep it share

  /// Has it there. The store's mutex is held.
  Result<void> Restore();
  void LetGo();
};

/// How the owner of a tensor that names a weight is known.
struct StoredBytes::Naming {
  void operator()(const Weight* weight) const { delete weight; }
};

/// How the owner of a tensor that keeps a weight is known. Its end is that of its hold on the
/// weight, which is what remembers the owner.
struct StoredBytes::Keeping {
  std::shared_ptr<Weight> weight;
  std::shared_ptr<const void> counted;  ///< its part of a session's budget
  void operator()(const void* /*weight*/) {
    const std::shared_ptr<Weight> held = std::move(weight);
    {
      const std::lock_guard lock(held->store->mutex_);
      if (held->kept.expired()) held->LetGo();
    }
    counted.reset();
  }
};

Result<void> StoredBytes::Weight::Restore() {
  if (there) return {};
  const bool whole = !store->file_ || TRY(ReadAll(store->file_.get(), bytes, offset, store->path_));
  if (!whole || Fingerprint(bytes) != fingerprint) {
    DropPages(bytes);
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("the model's file {} was changed after it was loaded: its "
                                        "{} bytes at {} are others than before",
                                        store->path_, bytes.size(), offset),
                 .id = "Model.Changed",
                 .fix = "load the model again, and replace files rather than write into them"};
  }
  there = true;
  return {};
}

void StoredBytes::Weight::LetGo() {
  fingerprint = Fingerprint(bytes);
  there = false;
  DropPages(bytes);
}

Result<std::shared_ptr<StoredBytes>> StoredBytes::Read(const std::filesystem::path& path) {
  auto store = std::make_shared<StoredBytes>();
  store->path_ = path.string();
  store->file_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!store->file_) return SystemError(path.string(), errno);
  struct stat status = {};
  if (::fstat(store->file_.get(), &status) != 0) return SystemError(path.string(), errno);
  const auto invalid = [](std::string message) {
    return Error{
        .code = Code::kInvalidArgument, .message = std::move(message), .id = "Model.Invalid"};
  };
  if (!S_ISREG(status.st_mode)) return invalid(fmt::format("{} is no regular file", path.string()));
  Tensor buffer = TRY(Tensor::Make(DType::kUint8, {status.st_size}));
  store->owner_ = std::const_pointer_cast<void>(buffer.owner());
  store->bytes_ = {static_cast<std::byte*>(buffer.raw()), static_cast<std::size_t>(status.st_size)};
  if (!TRY(ReadAll(store->file_.get(), store->bytes_, 0, path.string()))) {
    return invalid("it became shorter while it was read");
  }
  return store;
}

std::shared_ptr<StoredBytes> StoredBytes::Of(const std::filesystem::path& path,
                                             std::shared_ptr<const MappedFile> file) {
  auto store = std::make_shared<StoredBytes>();
  store->path_ = path.string();
  const auto bytes = file->bytes();
  store->bytes_ = {const_cast<std::byte*>(bytes.data()), bytes.size()};
  store->owner_ = std::const_pointer_cast<MappedFile>(std::move(file));
  return store;
}

Tensor StoredBytes::View(DType dtype, Shape shape, std::byte* at, std::int64_t offset) {
  Tensor tensor = Tensor::Wrap(dtype, std::move(shape), shared_from_this(), at);
  if (tensor.bytes() < kLeastBytes) return tensor;
  std::shared_ptr<Weight> weight(new Weight{.store = shared_from_this(),
                                            .bytes = {at, static_cast<std::size_t>(tensor.bytes())},
                                            .offset = offset},
                                 Naming{});
  return Tensor::Wrap(dtype, tensor.shape(), std::move(weight), at);
}

Result<Tensor> StoredWeights::Keep(const Tensor& tensor) {
  if (!IsNamed(tensor)) return tensor;
  const auto weight =
      std::static_pointer_cast<StoredBytes::Weight>(std::const_pointer_cast<void>(tensor.owner()));
  const std::lock_guard lock(weight->store->mutex_);
  std::shared_ptr<const void> owner = weight->kept.lock();
  if (owner == nullptr) {
    const auto counted = TRY(Counted(tensor.bytes()));
    TRY(weight->Restore());
    owner = std::shared_ptr<const void>(weight.get(), StoredBytes::Keeping{weight, counted});
    weight->kept = owner;
  }
  return Tensor::Wrap(tensor.dtype(), tensor.shape(), std::move(owner),
                      const_cast<void*>(tensor.raw()));
}

Tensor StoredWeights::Name(const Tensor& tensor) {
  if (std::get_deleter<StoredBytes::Keeping>(tensor.owner()) == nullptr) return tensor;
  return Tensor::Wrap(tensor.dtype(), tensor.shape(), Identity(tensor),
                      const_cast<void*>(tensor.raw()));
}

bool StoredWeights::IsNamed(const Tensor& tensor) {
  return std::get_deleter<StoredBytes::Naming>(tensor.owner()) != nullptr &&
         static_cast<const StoredBytes::Weight*>(tensor.owner().get())->may_go;
}

bool StoredWeights::AreThere(const Tensor& tensor) {
  if (!IsNamed(tensor)) return true;
  const auto* weight = static_cast<const StoredBytes::Weight*>(tensor.owner().get());
  const std::lock_guard lock(weight->store->mutex_);
  return weight->there;
}

std::shared_ptr<const void> StoredWeights::Identity(const Tensor& tensor) {
  const auto* keeping = std::get_deleter<StoredBytes::Keeping>(tensor.owner());
  return keeping == nullptr ? tensor.owner() : keeping->weight;
}

std::int64_t StoredWeights::NamedBytes(const GraphData& graph) {
  std::int64_t bytes = 0;
  for (const GraphValue& value : graph.values) {
    if (IsNamed(value.constant)) bytes += value.constant.bytes();
  }
  return bytes;
}

void StoredWeights::LetGoUnkept(const GraphData& graph) {
  std::map<StoredBytes::Weight*, std::int64_t> uses;
  for (const GraphValue& value : graph.values) {
    const auto& owner = value.constant.owner();
    if (std::get_deleter<StoredBytes::Naming>(owner) == nullptr) continue;
    auto* weight = static_cast<StoredBytes::Weight*>(const_cast<void*>(owner.get()));
    weight->may_go = ++uses[weight] == owner.use_count();
  }
}

}  // namespace slipway::runtime
