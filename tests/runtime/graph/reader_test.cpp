// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <complex>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "tests/runtime/model_files.h"
#include "tests/support/tempdir.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;

struct BadModel {
  std::string_view file;
  std::string_view id;
  std::vector<std::string_view> says;  ///< words the message must have
};

class Refuses : public ::testing::TestWithParam<BadModel> {};

TEST_P(Refuses, NamingWhatIsWrong) {
  const auto model = Model::Load(ModelFile(GetParam().file));
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().id, GetParam().id) << model.error().message;
  for (std::string_view word : GetParam().says) {
    EXPECT_THAT(model.error().message, HasSubstr(std::string(word)));
  }
  EXPECT_EQ(model.error().message.find('\n'), std::string::npos);
}

const BadModel kBadModels[] = {
    {"bad_unsorted", "Model.Invalid", {"Relu 'late'", "'t'", "Relu 'early'"}},
    {"bad_cycle", "Model.Invalid", {"Add 'a'", "'u'", "Relu 'b'"}},
    {"bad_undefined", "Model.Invalid", {"Add 'sum'", "'nowhere'"}},
    {"bad_duplicate", "Model.Invalid", {"Relu 'again'", "'y'", "twice"}},
    {"bad_output", "Model.Invalid", {"output 'z'"}},
    {"bad_operator", "Model.UnsupportedOperator", {"ai.onnx.Rellu", "opset 17", "'typo'"}},
    {"bad_domain", "Model.Invalid", {"no.such"}},
    {"bad_attribute", "Model.Invalid", {"Relu 'act'", "'slope'"}},
    {"bad_attribute_type", "Model.Invalid", {"Softmax 'soft'", "'axis'", "float", "int"}},
    {"bad_attribute_missing", "Model.Invalid", {"Cast 'cast'", "'to'"}},
    {"bad_arity", "Model.Invalid", {"Relu 'act'", "2 inputs"}},
    {"bad_type", "Model.Invalid", {"And 'and'", "float", "bool"}},
    {"bad_opset", "Model.UnsupportedOpset", {"99", "28"}},
    {"bad_no_opset", "Model.Invalid", {"no opset"}},
    {"bad_no_graph", "Model.Invalid", {"no graph"}},
    {"bad_raw_size", "Model.Invalid", {"tensor 'w'", "7 bytes", "12"}},
    {"bad_dims", "Model.Invalid", {"tensor 'w'", "1099511627776"}},
    {"bad_negative_dim", "Model.Invalid", {"tensor 'w'", "-4"}},
    {"bad_dtype", "Model.Invalid", {"tensor 'w'", "77"}},
    {"bad_count", "Model.Invalid", {"tensor 'w'", "8589934592"}},
    {"bad_depth", "Model.Invalid", {"deeper than 64"}},
    {"bad_recursion", "Model.Invalid", {"local.Round", "itself"}},
    {"bad_external_parent", "Model.Invalid", {"../external.bin", "leaves"}},
    {"bad_external_absolute", "Model.Invalid", {"/etc/hostname", "absolute"}},
    {"bad_external_missing", "Model.ExternalDataMissing", {"nothing.bin"}},
    {"bad_external_short", "Model.Invalid", {"external.bin", "32 bytes", "offset 24"}},
    {"bad_external_length", "Model.Invalid", {"12", "16"}},
    {"no_such_file", "Model.FileNotFound", {"no_such_file.onnx"}},
};

INSTANTIATE_TEST_SUITE_P(Reader, Refuses, ::testing::ValuesIn(kBadModels),
                         [](const auto& test) { return std::string(test.param.file); });

TEST(Reader, NamesTheNearestOperator) {
  const auto model = Model::Load(ModelFile("bad_operator"));
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().fix, HasSubstr("Relu"));
  EXPECT_EQ(model.error().code, Code::kUnimplemented);
}

TEST(Reader, RefusesWhatIsNoModel) {
  const std::string texts[] = {"", "hello", "{\"a\": 1}", std::string(1000, '\0'),
                               "\x89PNG\r\n\x1a\n"};
  for (const std::string& text : texts) {
    const auto model = Model::Parse(std::as_bytes(std::span(text)));
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().id, "Model.Invalid");
    EXPECT_THAT(model.error().message, HasSubstr("ONNX model"));
  }
}

TEST(Reader, RefusesAFolder) {
  EXPECT_FALSE(Model::Load(std::filesystem::path(SLIPWAY_SOURCE_DIR)));
}

TEST(Reader, LinksOutOfTheFolderAreRefused) {
  const slipway::testing::TempDir folder;
  std::filesystem::copy_file(ModelFile("external"), folder.path() / "external.onnx");
  std::filesystem::create_symlink(ModelFile("x").parent_path() / "external.bin",
                                  folder.path() / "external.bin");
  const auto model = Model::Load(folder.path() / "external.onnx");
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("leaves the model's folder"));
}

TEST(Reader, ExternalDataFromMemoryIsRefused) {
  const auto text = ReadFile(ModelFile("external"), 1 << 20);
  ASSERT_TRUE(text);
  const auto model = Model::Parse(std::as_bytes(std::span(*text)));
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("external.bin"));
}

TEST(Reader, ExternalDataIsRead) {
  const auto outputs = RunModel("external", {{"x", Floats({4}, {10, 20, 30, 40})}});
  EXPECT_EQ(FloatsOf(outputs[0]), (std::vector<float>{14, 25, 36, 47}));
}

template <class T>
std::vector<T> ElementsOf(const Value& value) {
  const auto data = value.tensor()->data<T>();
  return {data.begin(), data.end()};
}

TEST(Reader, ReadsEveryEncoding) {
  const Model model = LoadModel("encodings");
  auto outputs = MakeSession(model)->Run({});
  ASSERT_TRUE(outputs) << outputs.error().message;
  std::map<std::string, Value> by_name;
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    by_name[model.outputs()[i].name] = (*outputs)[i];
    EXPECT_EQ((*outputs)[i].tensor()->dtype(), model.outputs()[i].type.dtype);
  }
  using C = std::complex<float>;
  EXPECT_EQ(ElementsOf<float>(by_name["float"]), (std::vector<float>{1.5, -2}));
  EXPECT_EQ(ElementsOf<double>(by_name["double"]), (std::vector<double>{1.5, -2}));
  EXPECT_EQ(ElementsOf<std::int8_t>(by_name["int8"]), (std::vector<std::int8_t>{-1, 127}));
  EXPECT_EQ(ElementsOf<std::uint8_t>(by_name["uint8"]), (std::vector<std::uint8_t>{255, 0}));
  EXPECT_EQ(ElementsOf<std::int16_t>(by_name["int16"]), (std::vector<std::int16_t>{-3, 3}));
  EXPECT_EQ(ElementsOf<std::uint16_t>(by_name["uint16"]), (std::vector<std::uint16_t>{65535}));
  EXPECT_EQ(ElementsOf<std::int32_t>(by_name["int32"]), (std::vector<std::int32_t>{-5}));
  EXPECT_EQ(ElementsOf<std::uint32_t>(by_name["uint32"]), (std::vector<std::uint32_t>{UINT32_MAX}));
  EXPECT_EQ(ElementsOf<std::int64_t>(by_name["int64"]), (std::vector<std::int64_t>{-7}));
  EXPECT_EQ(ElementsOf<std::uint64_t>(by_name["uint64"]), (std::vector<std::uint64_t>{UINT64_MAX}));
  EXPECT_EQ(ElementsOf<std::uint8_t>(by_name["bool"]), (std::vector<std::uint8_t>{1, 0, 1}));
  EXPECT_EQ(ElementsOf<std::uint16_t>(by_name["float16"]),
            (std::vector<std::uint16_t>{15872, 49152}));
  EXPECT_EQ(ElementsOf<std::uint16_t>(by_name["bfloat16"]), (std::vector<std::uint16_t>{16320}));
  EXPECT_EQ(ElementsOf<std::string>(by_name["string"]),
            (std::vector<std::string>{"a", "", "\xc3\xa4"}));
  EXPECT_EQ(ElementsOf<C>(by_name["complex64"]), (std::vector<C>{{1, 2}, {3, 4}}));
  EXPECT_EQ(by_name["complex128"].tensor()->data<double>()[0], 1);
  EXPECT_EQ(by_name["int4"].tensor()->bytes(), 2);
  EXPECT_EQ(static_cast<const std::uint8_t*>(by_name["int4"].tensor()->raw())[0], 0x1F);
  EXPECT_EQ(static_cast<const std::uint8_t*>(by_name["uint4"].tensor()->raw())[0], 0xF1);
  EXPECT_EQ(by_name["empty"].tensor()->shape(), (Shape{0, 3}));
  EXPECT_EQ(ElementsOf<float>(by_name["scalar"]), (std::vector<float>{4}));
  EXPECT_EQ(ElementsOf<float>(by_name["raw"]), (std::vector<float>{1.5, -2}));
  EXPECT_EQ(ElementsOf<std::int64_t>(by_name["raw64"]), (std::vector<std::int64_t>{1, -2, 3}));
  EXPECT_EQ(ElementsOf<std::uint8_t>(by_name["rawbool"]), (std::vector<std::uint8_t>{1, 0}));
  EXPECT_EQ(ElementsOf<float>(by_name["sparse"]), (std::vector<float>{0, 5, 0, 0, 6, 0}));
}

TEST(Reader, TellsWhatTheFileSays) {
  const Model model = LoadModel("residual");
  EXPECT_EQ(model.info().ir_version, 8);
  EXPECT_EQ(model.info().producer_name, "make.py");
  EXPECT_EQ(model.info().graph_name, "residual");
  ASSERT_EQ(model.info().opsets.size(), 1U);
  EXPECT_EQ(model.info().opsets[0].second, 17);
  EXPECT_EQ(model.info().nodes, 14);
  EXPECT_EQ(model.info().parameters, 108 + 144 + 4 + 8 + 16 + 2 + 4 + 16);
  ASSERT_EQ(model.inputs().size(), 1U);
  EXPECT_EQ(ShapedTypeText(model.inputs()[0].type), "float[n,3,h,w]");
  EXPECT_EQ(model.outputs().size(), 2U);
}

TEST(Reader, InitialisersThatAreInputsMayBeFed) {
  for (const char* name : {"overridable", "ir3"}) {
    const Model model = LoadModel(name);
    ASSERT_EQ(model.inputs().size(), 1U);
    ASSERT_EQ(model.overridable_initializers().size(), 1U);
    EXPECT_EQ(model.overridable_initializers()[0].name, "w");
  }
}

}  // namespace
}  // namespace slipway::runtime
