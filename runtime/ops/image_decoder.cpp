// SPDX-License-Identifier: Apache-2.0
// ImageDecoder (opset 20). Spec: https://onnx.ai/onnx/operators/onnx__ImageDecoder.html
// A stream that cannot be decoded gives an image of no rows and columns.
#include <memory>

#include "runtime/image/image.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/library.h"

namespace slipway::runtime {
namespace {

enum class PixelFormat : std::uint8_t { kRgb, kBgr, kGrayscale };

Result<PixelFormat> FormatOf(const NodeFacts& node) {
  const std::string_view format = node.attributes.String("pixel_format", "RGB");
  if (format == "RGB") return PixelFormat::kRgb;
  if (format == "BGR") return PixelFormat::kBgr;
  if (format == "Grayscale") return PixelFormat::kGrayscale;
  return Invalid("attribute `pixel_format` is `", format, "`, not RGB, BGR or Grayscale");
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(FormatOf(node));
  TRY(CheckVector(node, 0, "encoded_stream"));
  return Facts{TensorFacts(DType::kUint8)};
}

/// Luma of ITU-R BT.601, with weights of 16 bits.
std::uint8_t GreyOf(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >>
                                   16);
}

class Decoder final : public Executable {
 public:
  Decoder(PixelFormat format, DecodeImageFunction* decode) : format_(format), decode_(decode) {}

  Result<void> Run(KernelContext& context) const override {
    Pixels image;
    decode_(context.input(0)->data<std::uint8_t>(), image);
    const std::int64_t channels = format_ == PixelFormat::kGrayscale ? 1 : 3;
    Tensor* out = TRY(context.Allocate(0, DType::kUint8, {image.height, image.width, channels}));
    auto to = out->data<std::uint8_t>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (format_ == PixelFormat::kGrayscale) {
        to[i] = GreyOf(image.rgb.data() + 3 * i);
      } else {
        to[i] = image.rgb[format_ == PixelFormat::kRgb ? i : i / 3 * 3 + 2 - i % 3];
      }
    }
    return {};
  }

 private:
  const PixelFormat format_;
  DecodeImageFunction* const decode_;
};

constexpr std::string_view kLibrary = "image";

Result<std::unique_ptr<Executable>> Prepare(const NodeFacts& node, DeviceContext&) {
  const PixelFormat format = TRY(FormatOf(node));
  void* decode = TRY(LibraryFunction(kLibrary, kDecodeImage));
  return std::unique_ptr<Executable>(
      std::make_unique<Decoder>(format, reinterpret_cast<DecodeImageFunction*>(decode)));
}

constexpr Kernel kKernels[] = {{.name = "image_decoder", .prepare = Prepare}};

}  // namespace

OpList ops_image_decoder() {
  static constexpr OpDef kOps[] = {{.type = "ImageDecoder",
                                    .since = 20,
                                    .signature = "encoded_stream:uint8 -> image:uint8",
                                    .attributes = "pixel_format:string=RGB",
                                    .infer = Infer,
                                    .kernels = kKernels,
                                    .library = kLibrary}};
  return kOps;
}

}  // namespace slipway::runtime
