// SPDX-License-Identifier: Apache-2.0
// Weights of a model's file are let go of when kernels hold them, and are read again.
#include "runtime/stored_bytes.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

#include "runtime/graph/graph.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"
#include "tests/support/tempdir.h"

namespace slipway::runtime {
namespace {

using testing::TempDir;
using tiny::Ints;

/// Rows that are worth packing a matrix for; of a single one the product is read as it lies.
constexpr std::int64_t kRows = 64;
constexpr std::int64_t kWidth = 256;

void WriteBytes(const std::filesystem::path& path, std::string_view bytes) {
  ASSERT_TRUE(std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes)));
}

Value Square(std::uint32_t seed) {
  std::vector<float> elements = FloatsOf(Random({kWidth, kWidth}, seed));
  for (float& element : elements) element /= kWidth;
  return Floats({kWidth, kWidth}, std::move(elements));
}

/// A tensor of a graph: in the graph's bytes, or in the file `location` beside the model.
std::string Initializer(const std::string& name, const Value& value,
                        const std::filesystem::path& location = {}) {
  if (location.empty()) return tiny::Field(5, *WriteTensorProto(*value.tensor(), name));
  const auto bytes = value.tensor()->raw_bytes();
  WriteBytes(location, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  std::string tensor;
  for (const std::int64_t dim : value.tensor()->shape()) tensor += tiny::Field(1, dim);
  tensor += tiny::Field(2, 1) + tiny::Field(8, name) + tiny::Field(14, 1);
  const std::string file = location.filename().string();
  return tiny::Field(5,
                     tensor + tiny::Field(13, tiny::Field(1, "location") + tiny::Field(2, file)));
}

/// y = (relu(relu(x first) second) + third[index]) third, of `rows` rows of x, or any number of
/// them where that is 0. Nodes read `third` both as it is and in another form.
std::string ModelBytes(std::int64_t rows, const std::filesystem::path& folder = {}) {
  const Ints shape = rows > 0 ? Ints{rows, kWidth} : Ints{};
  std::string graph =
      tiny::GraphOf({{"MatMul", {"x", "first"}, {"a"}},
                     {"Relu", {"a"}, {"b"}},
                     {"MatMul", {"b", "second"}, {"c"}},
                     {"Relu", {"c"}, {"d"}},
                     {"Gather", {"third", "index"}, {"row"}},
                     {"Add", {"d", "row"}, {"e"}},
                     {"MatMul", {"e", "third"}, {"y"}}},
                    {{"x", DType::kFloat32, shape}, {"index", DType::kInt64, {1}}}, {{"y"}});
  const auto beside = [&](const char* name) { return folder.empty() ? folder : folder / name; };
  graph += Initializer("first", Square(1), beside("first.bin"));
  graph += Initializer("second", Square(2), beside("second.bin"));
  graph += Initializer("third", Square(3), beside("third.bin"));
  return tiny::ModelOf(graph);
}

Feeds Rows(std::int64_t rows) {
  return {{"x", Random({rows, kWidth}, 7)}, {"index", Int64s({1}, {rows})}};
}

Model Load(const std::filesystem::path& path) {
  auto model = Model::Load(path);
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

Model InMemory(std::int64_t rows) {
  const std::string bytes = ModelBytes(rows);
  return *Model::Parse(std::as_bytes(std::span(bytes)));
}

std::vector<Value> RunOnce(Session& session, const Feeds& feeds) {
  auto made = session.Run(feeds);
  if (!made) ADD_FAILURE() << made.error().message;
  return made ? *std::move(made) : std::vector<Value>();
}

bool IsThere(const Model& model, std::string_view name) {
  const auto& values = model.graph()->values;
  const auto found = std::ranges::find(values, name, &GraphValue::name);
  return found != values.end() && StoredWeights::AreThere(found->constant);
}

/// Where rows are open (0) and where they are fixed; with the weights in the model's file, and in
/// others beside it.
class StoredModel : public ::testing::TestWithParam<std::tuple<std::int64_t, bool>> {
 protected:
  StoredModel() {
    WriteBytes(path_, ModelBytes(rows_, std::get<1>(GetParam()) ? folder_.path()
                                                                : std::filesystem::path()));
  }
  const std::int64_t rows_ = std::get<0>(GetParam());
  TempDir folder_;
  const std::filesystem::path path_ = folder_ / "model.onnx";
  /// The file that holds `first`.
  const std::filesystem::path weights_ = std::get<1>(GetParam()) ? folder_ / "first.bin" : path_;
};

TEST_P(StoredModel, HeldWeightsAreLetGoOfAndOthersStay) {
  const Model model = Load(path_);
  for (const char* name : {"first", "second", "third"}) EXPECT_TRUE(IsThere(model, name));
  const auto session = MakeSession(model);
  RunOnce(*session, Rows(kRows));
  EXPECT_FALSE(IsThere(model, "first"));
  EXPECT_FALSE(IsThere(model, "second"));
  EXPECT_TRUE(IsThere(model, "third"));
}

TEST_P(StoredModel, WhatIsLetGoOfDoesNotCount) {
  constexpr std::int64_t kBytes = kWidth * kWidth * 4;
  const Model in_memory = InMemory(rows_);
  const auto whole = MakeSession(in_memory);
  const Model model = Load(path_);
  const auto session = MakeSession(model);
  EXPECT_EQ(session->MemoryBytes(), whole->MemoryBytes());
  RunOnce(*whole, Rows(kRows));
  RunOnce(*session, Rows(kRows));
  ASSERT_FALSE(IsThere(model, "first") || IsThere(model, "second"));
  EXPECT_EQ(session->MemoryBytes(), whole->MemoryBytes() - 2 * kBytes);
}

TEST_P(StoredModel, SessionsAfterTheFirstReadThemAgain) {
  const auto wanted = RunOnce(*MakeSession(InMemory(rows_)), Rows(kRows));
  const Model model = Load(path_);
  for (const int threads : {1, 2, 1}) {
    const auto session = MakeSession(model, {.threads = threads});
    ExpectNear(wanted, RunOnce(*session, Rows(kRows)));
    const auto plain = MakeSession(model, {.passes = false, .reference = true});
    ExpectNear(wanted, RunOnce(*plain, Rows(kRows)), 1e-5F);
    EXPECT_TRUE(IsThere(model, "first"));
  }
  EXPECT_FALSE(IsThere(model, "third"));
}

TEST_P(StoredModel, AFileThatIsGoneIsStillRead) {
  const Model model = Load(path_);
  const auto wanted = RunOnce(*MakeSession(model), Rows(kRows));
  std::filesystem::remove(weights_);
  EXPECT_FALSE(IsThere(model, "first"));
  ExpectNear(wanted, RunOnce(*MakeSession(model), Rows(kRows)));
}

TEST_P(StoredModel, AFileThatWasWrittenIntoIsAnError) {
  const Model model = Load(path_);
  const auto session = MakeSession(model);
  const auto wanted = RunOnce(*session, Rows(kRows));
  {
    std::fstream file(weights_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(weights_) / 5));
    file.put('!');
  }
  ExpectNear(wanted, RunOnce(*session, Rows(kRows)));
  for (int turn = 0; turn < 2; ++turn) {
    const auto other = Session::Create(model);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().id, "Model.Changed");
    EXPECT_NE(other.error().message.find(weights_.string()), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(All, StoredModel,
                         ::testing::Combine(::testing::Values(0, kRows), ::testing::Bool()));

/// With open rows.
class OpenStoredModel : public ::testing::Test {
 protected:
  OpenStoredModel() { WriteBytes(path_, ModelBytes(0)); }
  TempDir folder_;
  const std::filesystem::path path_ = folder_ / "model.onnx";
};

TEST_F(OpenStoredModel, OtherShapesNeedNoneOfThem) {
  const auto in_memory = MakeSession(InMemory(0));
  const Model model = Load(path_);
  const auto session = MakeSession(model);
  RunOnce(*session, Rows(kRows));
  std::filesystem::resize_file(path_, 0);
  for (const std::int64_t rows : {kRows + 1, 2 * kRows, kRows, kRows + 1}) {
    ExpectNear(RunOnce(*in_memory, Rows(rows)), RunOnce(*session, Rows(rows)));
    EXPECT_FALSE(IsThere(model, "first"));
  }
}

TEST_F(OpenStoredModel, OneRowHasThemReadAgainForAsLongAsItsPlanIsKept) {
  const auto in_memory = MakeSession(InMemory(0));
  const Model model = Load(path_);
  {
    const auto session = MakeSession(model);
    for (const std::int64_t rows : {kRows, std::int64_t{1}, kRows + 1, std::int64_t{1}}) {
      ExpectNear(RunOnce(*in_memory, Rows(rows)), RunOnce(*session, Rows(rows)));
      EXPECT_EQ(IsThere(model, "first"), rows != kRows);
    }
    EXPECT_TRUE(IsThere(model, "first"));
  }
  EXPECT_FALSE(IsThere(model, "first"));
}

TEST_F(OpenStoredModel, WhatIsReadAgainCountsAndIsBounded) {
  constexpr std::int64_t kBytes = kWidth * kWidth * 4;
  const Model model = Load(path_);
  std::int64_t held = 0, peak = 0;
  {
    const auto session = MakeSession(model);
    RunOnce(*session, Rows(kRows));
    held = session->MemoryBytes();
    RunOnce(*session, Rows(1));
    peak = session->MemoryBytes();
    EXPECT_GE(peak, held + 2 * kBytes);
  }
  const auto session = MakeSession(model, {.limits = {.memory_bytes = peak - kBytes}});
  RunOnce(*session, Rows(kRows));
  EXPECT_EQ(session->MemoryBytes(), held);
  RunOnce(*session, Rows(1));
  EXPECT_LE(session->MemoryBytes(), peak - kBytes);
  const auto small = Session::Create(Load(path_), {.limits = {.memory_bytes = 2 * kBytes}});
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().id, "Run.MemoryLimit");
}

TEST_F(OpenStoredModel, AFileThatBecameShorterIsAnErrorWhereItIsNeeded) {
  const auto session = MakeSession(Load(path_));
  const auto wanted = RunOnce(*session, Rows(kRows));
  std::filesystem::resize_file(path_, 100);
  for (int turn = 0; turn < 2; ++turn) {
    const auto made = session->Run(Rows(1));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().id, "Model.Changed");
    ExpectNear(wanted, RunOnce(*session, Rows(kRows)));
  }
}

TEST_F(OpenStoredModel, WithoutPassesAnswersAreTheSame) {
  const Model model = Load(path_);
  const auto session = MakeSession(model, {.passes = false});
  const auto in_memory = MakeSession(InMemory(0), {.passes = false});
  for (const std::int64_t rows : {kRows, std::int64_t{1}, 2 * kRows}) {
    ExpectNear(RunOnce(*in_memory, Rows(rows)), RunOnce(*session, Rows(rows)));
  }
}

TEST_F(OpenStoredModel, ThreadsMakePlansAndSessionsAtOnce) {
  const Model model = Load(path_);
  std::vector<std::vector<float>> wanted;
  const auto in_memory = MakeSession(InMemory(0), {.threads = 1});
  for (std::int64_t rows = 1; rows <= 4; ++rows) {
    wanted.push_back(FloatsOf(RunOnce(*in_memory, Rows(rows)).at(0)));
  }
  const auto shared = MakeSession(model, {.threads = 1});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::int64_t turn = 0; turn < 6; ++turn) {
        const std::int64_t rows = (t + turn) % 4 + 1;
        const auto own = Session::Create(model, {.threads = 1});
        for (Session* session : {own ? own->get() : nullptr, shared.get()}) {
          const auto made = session != nullptr ? session->Run(Rows(rows))
                                               : Result<std::vector<Value>>(own.error());
          const auto& right = wanted[static_cast<std::size_t>(rows - 1)];
          wrong += made && FloatsOf(made->at(0)) == right ? 0 : 1;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

/// How many of the pages that lie wholly inside are in memory.
std::int64_t PagesThere(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
  std::vector<unsigned char> there((last - first) / page);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): mincore wants where a page begins
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(first), last - first, there.data()), 0);
  return std::ranges::count_if(there, [](unsigned char flags) { return (flags & 1U) != 0; });
}

TEST(StoredBytes, PagesOfWhatNobodyKeepsGo) {
  const TempDir folder;
  std::string content(1 << 20, ' ');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * i >> 7);
  WriteBytes(folder / "file", content);
  const auto store = StoredBytes::Read(folder / "file");
  ASSERT_TRUE(store);
  constexpr std::int64_t kOffset = 300'001, kSize = 500'000;
  const auto bytes = (*store)->bytes();
  GraphData graph;
  graph.values.push_back(
      {.name = "weight",
       .constant = (*store)->View(DType::kUint8, {kSize}, bytes.data() + kOffset, kOffset)});
  const Tensor& named = graph.values[0].constant;
  StoredWeights::LetGoUnkept(graph);
  EXPECT_TRUE(StoredWeights::IsNamed(named));
  EXPECT_GT(PagesThere(named.raw_bytes()), 100);
  for (int turn = 0; turn < 3; ++turn) {
    auto one = StoredWeights::Keep(named), two = StoredWeights::Keep(*one);
    ASSERT_TRUE(one && two);
    EXPECT_FALSE(StoredWeights::IsNamed(*one));
    EXPECT_EQ(StoredWeights::Identity(*two), StoredWeights::Identity(named));
    *one = {};
    EXPECT_EQ(std::memcmp(two->raw(), content.data() + kOffset, kSize), 0);
    *two = StoredWeights::Name(*two);
    EXPECT_EQ(PagesThere(named.raw_bytes()), 0);
  }
  EXPECT_EQ(std::memcmp(bytes.data(), content.data(), kOffset), 0);
  EXPECT_EQ(std::memcmp(bytes.data() + kOffset + kSize, content.data() + kOffset + kSize,
                        content.size() - kOffset - kSize),
            0);
}

TEST(StoredBytes, GoWithTheLastTensorOverThem) {
  const TempDir folder;
  WriteBytes(folder / "file", std::string(1 << 20, 'a'));
  auto store = *StoredBytes::Read(folder / "file");
  const std::weak_ptr<StoredBytes> watched = store;
  GraphData graph;
  graph.values.push_back(
      {.name = "weight",
       .constant = store->View(DType::kUint8, {1 << 20}, store->bytes().data(), 0)});
  store.reset();
  StoredWeights::LetGoUnkept(graph);
  for (int turn = 0; turn < 2; ++turn) {
    auto kept = StoredWeights::Keep(graph.values[0].constant);
    ASSERT_TRUE(kept);
    if (turn == 1) graph.values.clear();
    EXPECT_EQ(kept->data<char>()[500'000], 'a');
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

TEST(StoredBytes, WhatSomethingElseHasStays) {
  const TempDir folder;
  WriteBytes(folder / "file", std::string(1 << 20, 'a'));
  const auto store = StoredBytes::Read(folder / "file");
  ASSERT_TRUE(store);
  GraphData graph;
  graph.values.push_back(
      {.name = "weight",
       .constant = (*store)->View(DType::kUint8, {1 << 20}, (*store)->bytes().data(), 0)});
  const Tensor attribute = graph.values[0].constant;
  StoredWeights::LetGoUnkept(graph);
  ASSERT_TRUE(StoredWeights::Keep(graph.values[0].constant));
  EXPECT_EQ(attribute.data<char>()[500'000], 'a');
  EXPECT_TRUE(StoredWeights::AreThere(attribute));
}

}  // namespace
}  // namespace slipway::runtime
