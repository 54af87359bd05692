// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/python/conda_names.h"

#include <algorithm>
#include <array>

namespace slipway::imagebuilder {
namespace {

using Kind = CondaName::Kind;

struct Row {
  std::string_view conda;
  CondaName means;
};

constexpr std::array kRows = {
    Row{"blas", {Kind::kNothing, "wheels bring their own"}},
    Row{"bzip2", {Kind::kNothing, "in the base"}},
    Row{"ca-certificates", {Kind::kNothing, "in the base"}},
    Row{"cpuonly", {Kind::kNothing, "a switch of conda's pytorch"}},
    Row{"cudatoolkit", {Kind::kNothing, "GPU wheels bring it"}},
    Row{"cudnn", {Kind::kNothing, "GPU wheels bring it"}},
    Row{"ffmpeg", {Kind::kDebian, "ffmpeg"}},
    Row{"freetype", {Kind::kDebian, "libfreetype6"}},
    Row{"geos", {Kind::kDebian, "libgeos-c1v5"}},
    Row{"git", {Kind::kDebian, "git"}},
    Row{"graphviz", {Kind::kDebian, "graphviz"}},
    Row{"hdf5", {Kind::kDebian, "libhdf5-103-1"}},
    Row{"intel-openmp", {Kind::kNothing, "wheels bring their own"}},
    Row{"jpeg", {Kind::kDebian, "libjpeg62-turbo"}},
    Row{"libblas", {Kind::kNothing, "wheels bring their own"}},
    Row{"libffi", {Kind::kNothing, "in the base"}},
    Row{"libgcc", {Kind::kNothing, "in the base"}},
    Row{"libgcc-ng", {Kind::kNothing, "in the base"}},
    Row{"libgfortran", {Kind::kDebian, "libgfortran5"}},
    Row{"libgomp", {Kind::kNothing, "in the base"}},
    Row{"libopenblas", {Kind::kNothing, "wheels bring their own"}},
    Row{"libpng", {Kind::kDebian, "libpng16-16"}},
    Row{"libsndfile", {Kind::kDebian, "libsndfile1"}},
    Row{"libstdcxx-ng", {Kind::kNothing, "in the base"}},
    Row{"libtiff", {Kind::kDebian, "libtiff6"}},
    Row{"libxml2", {Kind::kDebian, "libxml2"}},
    Row{"lightgbm", {Kind::kWheel, "lightgbm"}},
    Row{"lz4", {Kind::kWheel, "lz4"}},
    Row{"matplotlib-base", {Kind::kWheel, "matplotlib"}},
    Row{"mkl", {Kind::kNothing, "wheels bring their own"}},
    Row{"mkl-service", {Kind::kNothing, "wheels bring their own"}},
    Row{"msgpack-python", {Kind::kWheel, "msgpack"}},
    Row{"ncurses", {Kind::kNothing, "in the base"}},
    Row{"nomkl", {Kind::kNothing, "a switch of conda's numpy"}},
    Row{"numpy-base", {Kind::kWheel, "numpy"}},
    Row{"openblas", {Kind::kNothing, "wheels bring their own"}},
    Row{"opencv", {Kind::kWheel, "opencv-python-headless"}},
    Row{"openssl", {Kind::kNothing, "in the base"}},
    Row{"poppler", {Kind::kDebian, "poppler-utils"}},
    Row{"protobuf", {Kind::kWheel, "protobuf"}},
    Row{"py-opencv", {Kind::kWheel, "opencv-python-headless"}},
    Row{"py-xgboost", {Kind::kWheel, "xgboost"}},
    Row{"pytables", {Kind::kWheel, "tables"}},
    Row{"pytorch", {Kind::kWheel, "torch"}},
    Row{"pytorch-cpu", {Kind::kWheel, "torch"}},
    Row{"readline", {Kind::kNothing, "in the base"}},
    Row{"snappy", {Kind::kDebian, "libsnappy1v5"}},
    Row{"sqlite", {Kind::kNothing, "in the base"}},
    Row{"tensorflow-base", {Kind::kWheel, "tensorflow"}},
    Row{"tensorflow-gpu", {Kind::kWheel, "tensorflow"}},
    Row{"tesseract", {Kind::kDebian, "tesseract-ocr"}},
    Row{"tk", {Kind::kNothing, "no window on a server"}},
    Row{"torchvision-cpu", {Kind::kWheel, "torchvision"}},
    Row{"xz", {Kind::kNothing, "in the base"}},
    Row{"yaml", {Kind::kDebian, "libyaml-0-2"}},
    Row{"zeromq", {Kind::kNothing, "wheels bring their own"}},
    Row{"zlib", {Kind::kNothing, "in the base"}},
    Row{"zstd", {Kind::kDebian, "libzstd1"}},
};
static_assert(std::ranges::is_sorted(kRows, {}, &Row::conda));

}  // namespace

std::optional<CondaName> FindCondaName(std::string_view name) {
  const auto* row = std::ranges::lower_bound(kRows, name, {}, &Row::conda);
  if (row == kRows.end() || row->conda != name) return std::nullopt;
  return row->means;
}

}  // namespace slipway::imagebuilder
