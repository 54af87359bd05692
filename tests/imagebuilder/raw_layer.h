// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob_store.h"
#include "imagebuilder/gzip.h"
#include "imagebuilder/imagebuilder.h"
#include "imagebuilder/manifest.h"

namespace slipway::imagebuilder {

/// A tar member as an attacker may write it: nothing is checked.
struct RawMember {
  std::string name;
  char type = '0';
  unsigned mode = 0644;
  std::string content = {};
  std::string link = {};
  int owner = 0;
};

inline std::string RawHeader(const RawMember& member) {
  std::string block(512, '\0');
  const auto put = [&](std::size_t at, std::string_view text) {
    block.replace(at, text.size(), text);
  };
  const auto octal = [&](std::size_t at, std::size_t digits, unsigned long value) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%0*lo", static_cast<int>(digits), value);
    put(at, text.data());
  };
  put(0, std::string_view(member.name).substr(0, 100));
  octal(100, 7, member.mode);
  octal(108, 7, static_cast<unsigned long>(member.owner));
  octal(116, 7, 0);
  octal(124, 11, member.content.size());
  octal(136, 11, 0);
  put(148, "        ");
  block[156] = member.type;
  put(157, std::string_view(member.link).substr(0, 100));
  put(257, std::string_view("ustar\00000", 8));
  octal(329, 7, 1);
  octal(337, 7, 3);
  unsigned long sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  octal(148, 6, sum);
  block[154] = '\0';
  return block;
}

inline std::string RawTar(const std::vector<RawMember>& members) {
  std::string tar;
  for (const RawMember& member : members) {
    tar += RawHeader(member) + member.content;
    tar.resize((tar.size() + 511) / 512 * 512, '\0');
  }
  return tar + std::string(1024, '\0');
}

inline std::string Gzip(std::string_view text) {
  std::string compressed;
  GzipWriter writer([&](std::span<const std::byte> bytes) -> Result<void> {
    compressed.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  });
  EXPECT_TRUE(writer.Write(std::as_bytes(std::span(text))).has_value());
  EXPECT_TRUE(writer.Finish().has_value());
  return compressed;
}

inline Layer StoreLayer(BlobStore& blobs, const std::string& tar) {
  const auto stored = blobs.PutText(Gzip(tar));
  EXPECT_TRUE(stored.has_value());
  return {.name = "raw",
          .summary = "a layer of a test",
          .blob = {.media_type = std::string(kLayerType),
                   .digest = stored->digest.text(),
                   .size = stored->size},
          .diff_id = Digest::OfText(tar).text(),
          .unpacked_size = static_cast<std::int64_t>(tar.size())};
}

/// An image of these layers; its documents are as they should be.
inline Image StoreImage(BlobStore& blobs, const std::vector<Layer>& layers) {
  const std::string config = ConfigText({.architecture = "amd64",
                                         .user = "1",
                                         .entrypoint = {"/x"},
                                         .environment = {},
                                         .labels = {},
                                         .working_folder = "/",
                                         .port = 5001},
                                        layers);
  const auto stored = blobs.PutText(config);
  EXPECT_TRUE(stored.has_value());
  const auto manifest = blobs.PutText(ManifestText({.media_type = std::string(kConfigType),
                                                    .digest = stored->digest.text(),
                                                    .size = stored->size},
                                                   layers));
  EXPECT_TRUE(manifest.has_value());
  const auto image = Load(blobs, manifest->digest.text());
  EXPECT_TRUE(image.has_value()) << image.error().message;
  return image ? *image : Image{};
}

}  // namespace slipway::imagebuilder
