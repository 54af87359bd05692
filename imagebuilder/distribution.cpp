// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/distribution.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "imagebuilder/distribution_session.h"
#include "imagebuilder/errors.h"
#include "imagebuilder/manifest.h"

namespace slipway::imagebuilder {
namespace {

constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kDockerManifestType =
    "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kDockerListType =
    "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view kDockerConfigType = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view kDockerLayerType = "application/vnd.docker.image.rootfs.diff.tar.gzip";
constexpr int kIndexDepthMax = 3;
/// Blobs up to this size go up in the request that ends the upload.
constexpr std::int64_t kWholeBytes = 1 << 20;

std::string Short(std::string_view digest) { return std::string(digest.substr(0, 19)); }

/// `left` bytes of a file from `offset` on.
class FileRange final : public http::Reader {
 public:
  FileRange(UniqueFd fd, std::int64_t offset, std::int64_t left)
      : fd_(std::move(fd)), offset_(offset), left_(left) {}
  Result<std::size_t> Read(std::span<std::byte> buffer) override {
    const std::size_t wanted = std::min(buffer.size(), static_cast<std::size_t>(left_));
    if (wanted == 0) return std::size_t{0};
    while (true) {
      const ssize_t got = ::pread(fd_.get(), buffer.data(), wanted, offset_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemError("reading a blob", errno);
      if (got == 0) return Damaged("a blob ended before its size");
      offset_ += got;
      left_ -= got;
      return static_cast<std::size_t>(got);
    }
  }

 private:
  UniqueFd fd_;
  std::int64_t offset_, left_;
};

using ReaderMaker = std::function<Result<std::shared_ptr<http::Reader>>()>;

ReaderMaker ReaderOf(const std::filesystem::path& file, std::int64_t offset, std::int64_t size) {
  return [file, offset, size]() -> Result<std::shared_ptr<http::Reader>> {
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return SystemError("cannot open " + file.string(), errno);
    return std::shared_ptr<http::Reader>(std::make_shared<FileRange>(std::move(fd), offset, size));
  };
}

/// Whether another try may go better.
bool IsPassing(const Error& error) {
  return error.code == Code::kUnavailable && error.id != "Image.Cancelled";
}

class RegistryClient final : public Registry {
 public:
  RegistryClient(RegistryReference reference, RegistryOptions options, Clock& clock)
      : session_(std::move(reference), std::move(options), clock) {}

  Result<bool> Has(const std::string& manifest_digest) override;
  Result<std::string> Push(const BlobStore& blobs, const Image& image) override;
  Result<Image> Pull(BlobStore& blobs, std::string_view architecture) override;

 private:
  void Tell(const std::string& line) const {
    if (session_.options().progress) session_.options().progress(line);
  }
  /// Runs `work` until it succeeds, fails for good, or has had its tries.
  template <class Work>
  Result<void> Persist(const Work& work) {
    for (int number = 1;; ++number) {
      Result<void> done = work();
      if (done || !IsPassing(done.error()) || number >= session_.options().tries) return done;
      TRY(session_.Pause(number));
    }
  }

  Result<bool> HasBlob(const Descriptor& blob);
  Result<void> PushBlob(const BlobStore& blobs, const Descriptor& blob);
  /// An upload under way.
  struct Upload {
    std::string url = {};  ///< empty: none
    std::int64_t sent = 0;
  };
  Result<std::string> BeginUpload(const std::string& doing, const Descriptor& blob);
  Result<void> FindProgress(const std::string& doing, const Descriptor& blob, Upload& upload);
  Result<void> UploadPart(const std::filesystem::path& file, const Descriptor& blob,
                          const std::string& doing, Upload& upload);
  Result<void> FinishUpload(const std::string& doing, const Descriptor& blob,
                            const std::filesystem::path& file, const Upload& upload);
  Result<std::string> PutManifest(const std::string& text, const Descriptor& manifest);

  struct Fetched {
    std::string text, media_type;
  };
  Result<Fetched> GetManifest(const std::string& reference);
  Result<Fetched> ChooseManifest(std::string_view architecture);
  Result<void> PullBlob(BlobStore& blobs, const Descriptor& blob);

  RegistrySession session_;
};

/// The upload's next address, as the registry says it.
Result<std::string> LocationOf(std::string_view doing, const std::string& base,
                               const http::Response& response) {
  std::string to = ResolveUrl(base, response.headers.Get("Location"));
  if (!to.empty()) return to;
  return Error{.code = Code::kUnavailable,
               .message = fmt::format("{}: the registry does not say where to", doing),
               .id = "Registry.Refused"};
}

Result<bool> RegistryClient::Has(const std::string& manifest_digest) {
  const std::string doing = "looking for " + session_.reference().At(manifest_digest);
  bool has = false;
  const auto look = [&]() -> Result<void> {
    RegistrySession::Call call{.method = "HEAD",
                               .url = session_.Url("/manifests/" + manifest_digest)};
    call.headers.Set("Accept", kManifestType);
    const http::Response response = TRY(session_.Send(doing, "pull", call));
    has = response.status == 200;
    if (has || response.status == 404) return {};
    return RegistryError(doing, response);
  };
  TRY(Persist(look));
  return has;
}

Result<bool> RegistryClient::HasBlob(const Descriptor& blob) {
  const std::string doing = "looking for blob " + Short(blob.digest);
  const http::Response response = TRY(session_.Send(
      doing, "pull,push", {.method = "HEAD", .url = session_.Url("/blobs/" + blob.digest)}));
  if (response.status == 200) return true;
  if (response.status == 404) return false;
  return RegistryError(doing, response);
}

Result<std::string> RegistryClient::BeginUpload(const std::string& doing, const Descriptor& blob) {
  // A registry that has the blob in another repository may take it from there.
  const std::string url = WithQuery(session_.Url("/blobs/uploads/"), "mount", blob.digest);
  const http::Response response =
      TRY(session_.Send(doing, "pull,push", {.method = "POST", .url = url}));
  if (response.status == 201) return std::string();
  if (response.status != 202) return RegistryError(doing, response);
  return LocationOf(doing, url, response);
}

Result<void> RegistryClient::UploadPart(const std::filesystem::path& file, const Descriptor& blob,
                                        const std::string& doing, Upload& upload) {
  const std::int64_t chunk = session_.options().chunk_bytes;
  const std::int64_t left = blob.size - upload.sent;
  const std::int64_t size = chunk > 0 ? std::min(chunk, left) : left;
  RegistrySession::Call call{.method = "PATCH", .url = upload.url, .body_size = size};
  call.headers.Set("Content-Type", "application/octet-stream");
  if (size < blob.size) {
    call.headers.Set("Content-Range", fmt::format("{}-{}", upload.sent, upload.sent + size - 1));
  }
  call.reader = ReaderOf(file, upload.sent, size);
  const http::Response response = TRY(session_.Send(doing, "pull,push", call));
  if (response.status == 416) {
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("{}: the registry has another part", doing),
                 .id = "Registry.Refused"};
  }
  if (response.status != 202 && response.status != 204) return RegistryError(doing, response);
  upload.url = TRY(LocationOf(doing, upload.url, response));
  upload.sent += size;
  return {};
}

/// What the registry has of the upload; one that it has forgotten, or that there is none of yet, is
/// begun. An empty address: the blob is there after all.
Result<void> RegistryClient::FindProgress(const std::string& doing, const Descriptor& blob,
                                          Upload& upload) {
  if (!upload.url.empty()) {
    const http::Response response =
        TRY(session_.Send(doing, "pull,push", {.method = "GET", .url = upload.url}));
    if (response.status == 204 || response.status == 202) {
      const std::string_view range = response.headers.Get("Range");
      const std::string_view last = range.substr(range.find('-') + 1);
      std::int64_t end = 0;
      const auto [stop, error] = std::from_chars(last.data(), last.data() + last.size(), end);
      const bool said = error == std::errc() && stop == last.data() + last.size() && end > 0;
      upload.sent = said ? end + 1 : 0;
      const std::string to = ResolveUrl(upload.url, response.headers.Get("Location"));
      if (!to.empty()) upload.url = to;
      if (upload.sent <= blob.size) return {};
    }
  }
  upload.url = TRY(BeginUpload(doing, blob));
  upload.sent = 0;
  return {};
}

Result<void> RegistryClient::FinishUpload(const std::string& doing, const Descriptor& blob,
                                          const std::filesystem::path& file, const Upload& upload) {
  RegistrySession::Call call{.method = "PUT", .url = WithQuery(upload.url, "digest", blob.digest)};
  call.headers.Set("Content-Type", "application/octet-stream");
  if (upload.sent < blob.size) {
    call.body_size = blob.size;
    call.reader = ReaderOf(file, 0, blob.size);
  }
  const http::Response response = TRY(session_.Send(doing, "pull,push", call));
  if (response.status == 201 || response.status == 204) return {};
  return RegistryError(doing, response);
}

Result<void> RegistryClient::PushBlob(const BlobStore& blobs, const Descriptor& blob) {
  bool there = false;
  const auto look = [&]() -> Result<void> {
    there = TRY(HasBlob(blob));
    return {};
  };
  TRY(Persist(look));
  if (there) {
    Tell(fmt::format("blob {}: is there", Short(blob.digest)));
    return {};
  }
  const Digest digest = TRY(Digest::Parse(blob.digest));
  const std::filesystem::path file = TRY(blobs.Path(digest));
  const std::string doing = "uploading blob " + Short(blob.digest);
  Tell(fmt::format("blob {}: uploading {} bytes", Short(blob.digest), blob.size));
  const bool whole = session_.options().chunk_bytes == 0 && blob.size <= kWholeBytes;
  Upload upload;
  return Persist([&]() -> Result<void> {
    TRY(FindProgress(doing, blob, upload));
    if (upload.url.empty()) return {};
    const bool at_once = whole && upload.sent == 0;
    while (!at_once && upload.sent < blob.size) TRY(UploadPart(file, blob, doing, upload));
    return FinishUpload(doing, blob, file, upload);
  });
}

Result<std::string> RegistryClient::PutManifest(const std::string& text,
                                                const Descriptor& manifest) {
  const RegistryReference& to = session_.reference();
  const std::string name = to.tag.empty() ? manifest.digest : to.tag;
  const std::string doing = fmt::format("pushing {}/{}:{}", to.host, to.repository, name);
  const http::Response response =
      TRY(session_.Send(doing, "pull,push",
                        {.method = "PUT",
                         .url = session_.Url("/manifests/" + name),
                         .headers = {{"Content-Type", manifest.media_type}},
                         .body = text}));
  if (response.status != 201 && response.status != 200) return RegistryError(doing, response);
  const std::string_view said = response.headers.Get("Docker-Content-Digest");
  if (!said.empty() && said != manifest.digest) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("{}: the registry stored {} instead of {}", doing, said,
                                        manifest.digest),
                 .id = "Registry.DigestMismatch"};
  }
  return manifest.digest;
}

Result<std::string> RegistryClient::Push(const BlobStore& blobs, const Image& image) {
  const RegistryReference& to = session_.reference();
  if (!to.digest.empty() && to.digest != image.manifest.digest) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format("the image is {}, not {}", image.manifest.digest, to.digest),
        .id = "Registry.DigestMismatch",
        .fix = "leave out @DIGEST"};
  }
  std::vector<Descriptor> parts = {image.config};
  for (const Layer& layer : image.layers) parts.push_back(layer.blob);
  std::vector<std::string> done;
  for (const Descriptor& blob : parts) {
    if (std::find(done.begin(), done.end(), blob.digest) != done.end()) continue;
    TRY(PushBlob(blobs, blob));
    done.push_back(blob.digest);
  }
  const Digest manifest = TRY(Digest::Parse(image.manifest.digest));
  const std::string text = TRY(blobs.ReadVerified(manifest, kManifestBytes));
  std::string digest;
  const auto put = [&]() -> Result<void> {
    digest = TRY(PutManifest(text, image.manifest));
    return {};
  };
  TRY(Persist(put));
  Tell(fmt::format("pushed {}", to.At(digest)));
  return digest;
}

Result<RegistryClient::Fetched> RegistryClient::GetManifest(const std::string& reference) {
  const RegistryReference& from = session_.reference();
  const std::string doing = fmt::format("pulling {}/{}:{}", from.host, from.repository, reference);
  RegistrySession::Call call{.url = session_.Url("/manifests/" + reference)};
  for (const std::string_view type :
       {kManifestType, kIndexType, kDockerManifestType, kDockerListType}) {
    call.headers.Add("Accept", type);
  }
  const http::Response response = TRY(session_.Send(doing, "pull", call));
  if (response.status != 200) return RegistryError(doing, response);
  if (static_cast<std::int64_t>(response.body.size()) > kManifestBytes) {
    return Damaged(fmt::format("{}: the manifest is too large", doing));
  }
  const bool by_digest = reference.starts_with("sha256:");
  if (by_digest && Digest::OfText(response.body).text() != reference) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("{}: the registry sent another manifest", doing),
                 .id = "Registry.DigestMismatch"};
  }
  const std::string type(response.headers.Get("Content-Type"));
  return Fetched{.text = response.body,
                 .media_type = std::string(Trim(type.substr(0, type.find(';'))))};
}

/// The digest of the manifest for linux on that architecture.
Result<std::string> FindInIndex(std::string_view text, std::string_view architecture) {
  const Json json = TRY(ParseJson(text));
  std::string others;
  if (json.is_object() && json.contains("manifests") && json["manifests"].is_array()) {
    for (const Json& entry : json["manifests"]) {
      if (!entry.is_object() || !entry.contains("platform")) continue;
      const Json& platform = entry["platform"];
      if (!platform.is_object()) continue;
      const std::string os = TRY(GetStringOr(platform, "os", ""));
      const std::string cpu = TRY(GetStringOr(platform, "architecture", ""));
      const std::string digest = TRY(GetString(entry, "digest"));
      if (os == "linux" && cpu == architecture) return TRY(Digest::Parse(digest)).text();
      others += fmt::format("{}{}/{}", others.empty() ? "" : ", ", os, cpu);
    }
  }
  return Error{.code = Code::kNotFound,
               .message = fmt::format("the index has no image for linux/{}, it has {}",
                                      architecture, others.empty() ? "none" : others),
               .id = "Registry.NotFound"};
}

Result<RegistryClient::Fetched> RegistryClient::ChooseManifest(std::string_view architecture) {
  const RegistryReference& from = session_.reference();
  std::string reference = from.digest.empty() ? from.tag : from.digest;
  for (int depth = 0; depth < kIndexDepthMax; ++depth) {
    Fetched fetched;
    const auto fetch = [&]() -> Result<void> {
      fetched = TRY(GetManifest(reference));
      return {};
    };
    TRY(Persist(fetch));
    if (fetched.media_type != kIndexType && fetched.media_type != kDockerListType) return fetched;
    reference = TRY(FindInIndex(fetched.text, architecture));
  }
  return Damaged("the registry's index leads to ever more indexes");
}

/// The OCI form of a Docker manifest, which names the same blobs.
Result<std::string> ToOciManifest(const std::string& text) {
  Json json = TRY(ParseJson(text));
  const auto convert = [](Json& part, std::string_view from, std::string_view to) {
    if (part.is_object() && part.contains("mediaType") && part["mediaType"] == from) {
      part["mediaType"] = to;
    }
  };
  convert(json, kDockerManifestType, kManifestType);
  if (!json.is_object()) return Damaged("the manifest is no JSON object");
  if (json.contains("config")) convert(json["config"], kDockerConfigType, kConfigType);
  if (json.contains("layers") && json["layers"].is_array()) {
    for (Json& layer : json["layers"]) convert(layer, kDockerLayerType, kLayerType);
  }
  return DumpJson(json);
}

Result<void> RegistryClient::PullBlob(BlobStore& blobs, const Descriptor& blob) {
  const Digest digest = TRY(Digest::Parse(blob.digest));
  if (blobs.Has(digest)) {
    Tell(fmt::format("blob {}: is there", Short(blob.digest)));
    return {};
  }
  const std::string doing = "downloading blob " + Short(blob.digest);
  Tell(fmt::format("blob {}: downloading {} bytes", Short(blob.digest), blob.size));
  std::unique_ptr<BlobStore::Writer> writer;
  std::int64_t got = 0;
  bool resumes = true;
  const http::Sink sink = [&](std::span<const std::byte> bytes) -> Result<void> {
    TRY(session_.CheckCancelled());
    if (std::cmp_greater(bytes.size(), blob.size - got)) {
      resumes = false;
      return Error{.code = Code::kUnavailable,
                   .message = fmt::format("{}: more than its {} bytes came", doing, blob.size),
                   .id = "Registry.DigestMismatch"};
    }
    TRY(writer->Write(bytes));
    got += static_cast<std::int64_t>(bytes.size());
    return {};
  };
  const auto download = [&]() -> Result<void> {
    if (writer == nullptr || !resumes) {
      writer = TRY(blobs.NewWriter(digest, blob.size));
      got = 0;
    }
    RegistrySession::Call call{.url = session_.Url("/blobs/" + blob.digest), .sink = &sink};
    const bool part = got > 0;
    if (part) call.headers.Set("Range", fmt::format("bytes={}-{}", got, blob.size - 1));
    const http::Response response = TRY(session_.Send(doing, "pull", call));
    if (part && response.status == 200) {
      resumes = false;
      return Error{.code = Code::kUnavailable, .message = doing + ": the registry began anew"};
    }
    if (response.status != (part ? 206 : 200)) return RegistryError(doing, response);
    return {};
  };
  TRY(Persist(download));
  TRY(writer->Commit());
  return {};
}

Result<Image> RegistryClient::Pull(BlobStore& blobs, std::string_view architecture) {
  const Fetched fetched = TRY(ChooseManifest(architecture));
  const std::string text = TRY(ToOciManifest(fetched.text));
  const bool is_docker = fetched.media_type == kDockerManifestType;
  const std::string& kept = is_docker ? text : fetched.text;
  const ParsedManifest manifest = TRY(ParseManifest(kept));
  TRY(PullBlob(blobs, manifest.config));
  for (const ParsedManifest::LayerPart& layer : manifest.layers) TRY(PullBlob(blobs, layer.blob));
  const auto stored = TRY(blobs.PutText(kept));
  Tell(fmt::format("pulled {}", session_.reference().At(stored.digest.text())));
  return Load(blobs, stored.digest.text());
}

}  // namespace

std::unique_ptr<Registry> Registry::Open(RegistryReference reference, RegistryOptions options,
                                         Clock& clock) {
  return std::make_unique<RegistryClient>(std::move(reference), std::move(options), clock);
}

}  // namespace slipway::imagebuilder
