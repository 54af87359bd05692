// SPDX-License-Identifier: Apache-2.0
// Derivatives of convolutions and pooling, of any number of spatial dimensions: what slides one way
// over an image slides the other way over its gradient.
#include <algorithm>

#include "runtime/graph/differential.h"

namespace slipway::runtime {
namespace {

using Numbers = std::vector<std::int64_t>;

constexpr std::int64_t kOne = 1;

Term Spatial(const Term& image) { return Part(ShapeOf(image), 2); }

/// A number for each spatial dimension, or one for all of them.
Term Setting(const BackStep& s, std::string_view name, std::int64_t fallback) {
  Numbers numbers = s.node.attributes.Ints(name, {});
  if (numbers.empty()) numbers = {fallback};
  return s.tape.Ints(std::move(numbers));
}

/// How windows lie over an image: elements around it that they reach, for each spatial dimension;
/// fewer than none at the end where they do not reach all of it.
struct Frame {
  Term begin, end;
};

/// Elements before the image: what the node's pads say, or its rule for them, `missing` being what
/// the windows reach and the image has not.
Term PadsBegin(const BackStep& s, const Term& missing) {
  const Attributes& attributes = s.node.attributes;
  const std::string_view mode = attributes.String("auto_pad", "NOTSET");
  if (mode.starts_with("SAME") || attributes.Has("output_shape")) {
    const Term total = s.tape.Op("Max", {missing, s.tape.Ints({0})});
    const Term odd = s.tape.Ints({mode == "SAME_UPPER" ? 0 : 1});
    return (total + odd) / s.tape.Ints({2});
  }
  Numbers pads = attributes.Ints("pads", {});
  pads.resize(pads.size() / 2);
  if (pads.empty() || mode == "VALID") pads = {0};
  return s.tape.Ints(std::move(pads));
}

/// `windows`: an image of their places. `kernel`: sizes of one.
Frame FrameOf(const BackStep& s, const Term& image, const Term& windows, const Term& kernel) {
  const Term one = s.tape.Ints({1});
  const Term reach = (Spatial(windows) - one) * Setting(s, "strides", 1) +
                     (kernel - one) * Setting(s, "dilations", 1) + one;
  const Term missing = reach - Spatial(image);
  const Term begin = PadsBegin(s, missing + Setting(s, "output_padding", 0));
  return {SpreadTo(begin, missing), missing - begin};
}

Term WithPads(const Term& image, const Term& begin, const Term& end) {
  Tape& tape = *image.tape;
  const Term none = tape.Ints({0, 0});
  return tape.Op("Pad", {image, Join(tape, {none, begin, none, end})});
}
/// With zeros around it, so that windows without pads lie over it as they did.
Term Framed(const Term& image, const Frame& frame) {
  return WithPads(image, frame.begin, frame.end);
}
/// The image inside its frame.
Term Unframed(const Term& image, const Frame& frame) {
  return WithPads(image, -frame.begin, -frame.end);
}

/// Settings of a convolution without pads.
Tape::Settings Sliding(const BackStep& s, bool grouped = true) {
  Tape::Settings settings;
  for (const char* name : {"strides", "dilations"}) {
    Numbers numbers = s.node.attributes.Ints(name, {});
    if (!numbers.empty()) settings.emplace_back(name, std::move(numbers));
  }
  if (grouped) settings.emplace_back("group", s.node.attributes.Int("group", 1));
  return settings;
}

/// `image` as [N, groups, channels, positions] with these dimensions in another order, then as
/// `shape`.
Term Regrouped(const Term& image, std::int64_t groups, Numbers order, const Term& shape) {
  Tape& tape = *image.tape;
  const Term all = ShapeOf(image);
  const Term positions = tape.Op("ReduceProd", {Part(all, 2)});
  const Term split = Join(tape, {Part(all, 0, 1), tape.Ints({groups}),
                                 Part(all, 1, 2) / tape.Ints({groups}), positions});
  return Reshaped(tape.Op("Transpose", {Reshaped(image, split)}, {{"perm", std::move(order)}}),
                  shape);
}

/// What each weight was multiplied with times the gradient there, summed: [M, C / g, kernel] from a
/// framed image [N, C, ...] and an image of the windows' places [N, M, ...]. It is a convolution
/// over the image whose channels are the batch, with the places as weights and with strides and
/// dilations in each other's place.
Term OfWeights(const BackStep& s, const Term& image, const Term& windows) {
  Tape& tape = s.tape;
  const std::int64_t groups = s.node.attributes.Int("group", 1);
  const Term g = tape.Ints({groups});
  const Term batch = Part(ShapeOf(image), 0, 1);
  const Term channels = Part(ShapeOf(image), 1, 2) / g;
  const Term x =
      Regrouped(image, groups, {2, 1, 0, 3}, Join(tape, {channels, g * batch, Spatial(image)}));
  const Term w = Regrouped(windows, groups, {1, 2, 0, 3},
                           Join(tape, {Part(ShapeOf(windows), 1, 2), batch, Spatial(windows)}));
  Tape::Settings settings = Sliding(s);
  for (auto& [name, value] : settings) {
    if (name != "group") name = name == "strides" ? "dilations" : "strides";
  }
  const Term sums = tape.Op("Conv", {x, w}, std::move(settings));
  const Term shape = ShapeOf(sums);
  return Regrouped(sums, 1, {1, 2, 0, 3},
                   Join(tape, {Part(shape, 1, 2), Part(shape, 0, 1), Part(shape, 2)}));
}

Result<Terms> Conv(const BackStep& s) {
  const Frame frame = FrameOf(s, s.x(), s.y(), Spatial(s.in[1]));
  const Term back = s.tape.Op("ConvTranspose", {s.g(), s.in[1]}, Sliding(s));
  Terms gradients = {Unframed(back, frame), OfWeights(s, Framed(s.x(), frame), s.g())};
  if (s.Input(2)) gradients.push_back(SumOfChannels(s.g(), s.in[2]));
  return gradients;
}

Result<Terms> ConvTranspose(const BackStep& s) {
  const Frame frame = FrameOf(s, s.y(), s.x(), Spatial(s.in[1]));
  const Term g = Framed(s.g(), frame);
  Terms gradients = {s.tape.Op("Conv", {g, s.in[1]}, Sliding(s)), OfWeights(s, g, s.x())};
  if (s.Input(2)) gradients.push_back(SumOfChannels(s.g(), s.in[2]));
  return gradients;
}

/// Windows that pool one channel each.
struct Pool {
  explicit Pool(const BackStep& s) : step(s) {
    const Term kernel = s.tape.Ints(s.node.attributes.Ints("kernel_shape", {}));
    frame = FrameOf(s, s.x(), s.y(), kernel);
    ones = s.tape.Op("Expand", {s.tape.Number(1, s.x()), Join(s.tape, {Single(), kernel})});
  }

  Term Single() const { return step.tape.Ints({1, 1}); }
  /// Every channel of every image for itself.
  Term Planes(const Term& a) const {
    const Term shape = ShapeOf(a);
    const Term planes = step.tape.Op("ReduceProd", {Part(shape, 0, 2)});
    return Reshaped(a, Join(step.tape, {planes, step.tape.Ints({1}), Part(shape, 2)}));
  }
  /// For each element of the image the sum over the windows that have it.
  Term Back(const Term& windows) const {
    const Term sums = step.tape.Op("ConvTranspose", {Planes(windows), ones}, Sliding(step, false));
    return ShapedAs(Unframed(sums, frame), step.x());
  }

  const BackStep& step;
  Frame frame;
  Term ones;  ///< as the weights of a window
};

/// The mean of ones tells which part of a window counts.
Result<Terms> AveragePool(const BackStep& s) {
  Tape& tape = s.tape;
  const Pool pool(s);
  const Term one = tape.Number(1, s.x());
  const Term image = tape.Op("Expand", {one, Join(tape, {pool.Single(), Spatial(s.x())})});
  const Term there = tape.Op("Conv", {Framed(image, pool.frame), pool.ones}, Sliding(s, false));
  MadeNode again = s.node;
  again.inputs = {image.name};
  again.outputs.assign(1, "y");
  const Term mean = tape.Copy(std::move(again)).front();
  return Terms{pool.Back(s.g() * (mean / tape.Op("Max", {there, one})))};
}

/// Of the norm with exponent p that an operator takes: its value to the power of 1 - p, and the
/// derivative of the sum of powers, of which the norm's is the product.
struct Norm {
  explicit Norm(const BackStep& s) {
    const Attributes& attributes = s.node.attributes;
    const double p = s.node.opset < 2 ? static_cast<double>(attributes.Float("p", 2))
                                      : static_cast<double>(attributes.Int("p", 2));
    const auto power = [&](const Term& a, double exponent) {
      return s.tape.Op("Pow", {a, s.tape.Number(exponent, a)});
    };
    const Term positive = s.tape.Op("Greater", {s.y(), s.tape.Number(0, s.y())});
    const Term y = s.tape.Op("Where", {positive, s.y(), s.tape.Number(1, s.y())});
    of_windows = Mask(positive, y) * power(y, 1 - p);
    of_elements = s.tape.Op("Sign", {s.x()}) * power(s.tape.Op("Abs", {s.x()}), p - 1);
  }
  Term of_windows, of_elements;
};

Result<Terms> LpPool(const BackStep& s) {
  const Norm norm(s);
  return Terms{norm.of_elements * Pool(s).Back(s.g() * norm.of_windows)};
}

Result<Terms> GlobalLpPool(const BackStep& s) {
  const Norm norm(s);
  return Terms{norm.of_elements * SpreadTo(s.g() * norm.of_windows, s.x())};
}

/// y = x d^-beta, where d is `bias` and a part of the squares of neighbouring channels.
Result<Terms> LocalResponse(const BackStep& s) {
  Tape& tape = s.tape;
  const Attributes& attributes = s.node.attributes;
  const std::int64_t size = std::max(kOne, attributes.Int("size", 1));
  const double beta = static_cast<double>(attributes.Float("beta", 0.75F));
  const double part =
      static_cast<double>(attributes.Float("alpha", 1e-4F)) / static_cast<double>(size);
  const Term ones = tape.Op("Expand", {tape.Number(1, s.x()), tape.Ints({1, 1, size, 1})});
  const Term shape = ShapeOf(s.x());
  const Term rows = Join(tape, {Part(shape, 0, 1), tape.Ints({1}), Part(shape, 1, 2),
                                tape.Op("ReduceProd", {Part(shape, 2)})});
  const auto neighbours = [&](const Term& a, std::int64_t before) {
    const Term sums = tape.Op("Conv", {Reshaped(a, rows), ones},
                              {{"pads", Numbers{before, 0, size - 1 - before, 0}}});
    return ShapedAs(sums, s.x());
  };
  const std::int64_t before = (size - 1) / 2;
  const double bias = static_cast<double>(attributes.Float("bias", 1));
  const Term d = bias + part * neighbours(s.x() * s.x(), before);
  const Term scale = tape.Op("Pow", {d, tape.Number(-beta, d)});
  const Term shares = neighbours(s.g() * s.x() * scale / d, size - 1 - before);
  return Terms{s.g() * scale - (2 * beta * part) * (s.x() * shares)};
}

}  // namespace

RuleTable WindowRules() {
  return {{"Conv", Conv},     {"ConvTranspose", ConvTranspose}, {"AveragePool", AveragePool},
          {"LpPool", LpPool}, {"GlobalLpPool", GlobalLpPool},   {"LRN", LocalResponse}};
}

}  // namespace slipway::runtime
