// SPDX-License-Identifier: Apache-2.0
#include "deployer/kubernetes/config.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include "base/file.h"
#include "base/text.h"
#include "deployer/causes.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kConfigBytes = 4 << 20;
constexpr std::int64_t kSecretBytes = 1 << 20;

Error ConfigError(std::string message) { return CauseError("ClusterConfig", std::move(message)); }

/// One kubeconfig as it was read.
struct ConfigFile {
  fs::path path;
  YAML::Node root;
};

/// An entry `name` of `clusters`, `users` or `contexts`, and the file it stands in.
struct Entry {
  YAML::Node value;
  fs::path file;
};

std::string TextOf(const YAML::Node& map, const char* name) {
  if (!map.IsMap()) return {};
  const YAML::Node value = map[name];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

bool IsTrue(const YAML::Node& map, const char* name) {
  const std::string text = ToLower(TextOf(map, name));
  return text == "true" || text == "yes" || text == "on";
}

Result<ConfigFile> ReadConfigFile(const fs::path& path) {
  const auto text = ReadFile(path, kConfigBytes);
  if (!text) {
    return ConfigError(fmt::format("kubeconfig {}: {}", path.string(), text.error().message));
  }
  try {
    ConfigFile file{.path = path, .root = YAML::Load(*text)};
    if (file.root.IsMap()) return file;
    return ConfigError(fmt::format("kubeconfig {} is no map of fields", path.string()));
  } catch (const YAML::Exception& error) {
    return ConfigError(
        fmt::format("kubeconfig {}, line {}: {}", path.string(), error.mark.line + 1, error.msg));
  }
}

/// The first of that name in any file, as kubectl merges them.
std::optional<Entry> FindEntry(const std::vector<ConfigFile>& files, const char* list,
                               const char* member, const std::string& name) {
  for (const ConfigFile& file : files) {
    const YAML::Node entries = file.root[list];
    if (!entries || !entries.IsSequence()) continue;
    for (const YAML::Node& entry : entries) {
      if (TextOf(entry, "name") != name) continue;
      const YAML::Node value = entry[member];
      if (value && value.IsMap()) return Entry{.value = value, .file = file.path};
    }
  }
  return std::nullopt;
}

std::string NamesIn(const std::vector<ConfigFile>& files, const char* list) {
  std::vector<std::string> names;
  for (const ConfigFile& file : files) {
    const YAML::Node entries = file.root[list];
    if (!entries || !entries.IsSequence()) continue;
    for (const YAML::Node& entry : entries) names.push_back(TextOf(entry, "name"));
  }
  return names.empty() ? "none" : Join(names, ", ");
}

fs::path BesideFile(const Entry& entry, const std::string& path) {
  const fs::path given(path);
  return given.is_absolute() ? given : entry.file.parent_path() / given;
}

/// `<name>-data` in base64, or the content of the file that `<name>` names.
Result<std::string> Material(const Entry& entry, const std::string& name) {
  if (const std::string data = TextOf(entry.value, (name + "-data").c_str()); !data.empty()) {
    std::string packed;
    for (const char c : data) {
      if (c != '\n' && c != '\r' && c != ' ') packed += c;
    }
    auto decoded = DecodeBase64(packed);
    if (decoded) return decoded;
    return ConfigError(
        fmt::format("kubeconfig {}: {}-data is not base64", entry.file.string(), name));
  }
  const std::string path = TextOf(entry.value, name.c_str());
  if (path.empty()) return std::string();
  auto text = ReadFile(BesideFile(entry, path), kSecretBytes);
  if (text) return text;
  return ConfigError(
      fmt::format("kubeconfig {}: {}: {}", entry.file.string(), name, text.error().message));
}

/// Whether only its owner, who is this user or root, can have written the file.
bool IsOwnersAlone(const fs::path& file) {
  struct stat seen {};
  if (::stat(file.c_str(), &seen) != 0) return false;
  return (seen.st_uid == 0 || seen.st_uid == ::geteuid()) && (seen.st_mode & 022U) == 0;
}

Result<std::optional<KubeExec>> ReadExec(const Entry& user) {
  const YAML::Node exec = user.value["exec"];
  if (!exec) return std::optional<KubeExec>();
  KubeExec plugin{.api_version = TextOf(exec, "apiVersion"),
                  .command = TextOf(exec, "command"),
                  .install_hint = TextOf(exec, "installHint"),
                  .arguments = {},
                  .environment = {},
                  .wants_cluster = IsTrue(exec, "provideClusterInfo")};
  const std::string where = fmt::format("kubeconfig {}: exec", user.file.string());
  if (plugin.command.empty()) return ConfigError(where + " names no command");
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return ConfigError(
        fmt::format("{} has apiVersion '{}', known are v1 and v1beta1 of "
                    "client.authentication.k8s.io",
                    where, plugin.api_version));
  }
  if (TextOf(exec, "interactiveMode") == "Always") {
    return ConfigError(where + " wants a terminal, which a service does not have");
  }
  if (!IsOwnersAlone(user.file)) {
    return ConfigError(
        fmt::format("{} names a program, and others than the owner may write the "
                    "file or the owner is a stranger: it is not run",
                    where));
  }
  if (plugin.command.find('/') != std::string::npos) {
    plugin.command = BesideFile(user, plugin.command);
  }
  if (const YAML::Node arguments = exec["args"]; arguments && arguments.IsSequence()) {
    for (const YAML::Node& argument : arguments) plugin.arguments.push_back(argument.Scalar());
  }
  if (const YAML::Node variables = exec["env"]; variables && variables.IsSequence()) {
    for (const YAML::Node& variable : variables) {
      plugin.environment.emplace_back(TextOf(variable, "name"), TextOf(variable, "value"));
    }
  }
  return std::optional(std::move(plugin));
}

Result<void> ReadCluster(const Entry& cluster, KubeAccess& access) {
  access.server = TextOf(cluster.value, "server");
  while (access.server.ends_with('/')) access.server.pop_back();
  if (!access.server.starts_with("https://") && !access.server.starts_with("http://")) {
    return ConfigError(fmt::format("kubeconfig {}: server '{}' is no http or https address",
                                   cluster.file.string(), access.server));
  }
  access.insecure = IsTrue(cluster.value, "insecure-skip-tls-verify");
  access.ca_pem = TRY(Material(cluster, "certificate-authority"));
  if (access.insecure && !access.ca_pem.empty()) {
    return ConfigError(
        fmt::format("kubeconfig {}: a certificate authority and "
                    "insecure-skip-tls-verify exclude each other",
                    cluster.file.string()));
  }
  access.tls_server_name = TextOf(cluster.value, "tls-server-name");
  access.proxy = TextOf(cluster.value, "proxy-url");
  return {};
}

Result<void> ReadUser(const Entry& user, KubeAccess& access) {
  for (const char* refused : {"auth-provider", "as", "as-uid", "as-groups", "as-user-extra"}) {
    if (!user.value[refused]) continue;
    return ConfigError(
        fmt::format("kubeconfig {}: users with '{}' are not supported; use a token, "
                    "a client certificate or exec",
                    user.file.string(), refused));
  }
  access.certificate_pem = TRY(Material(user, "client-certificate"));
  access.key_pem = TRY(Material(user, "client-key"));
  if (access.certificate_pem.empty() != access.key_pem.empty()) {
    return ConfigError(
        fmt::format("kubeconfig {}: client-certificate and client-key need each "
                    "other",
                    user.file.string()));
  }
  access.token = TextOf(user.value, "token");
  if (const std::string file = TextOf(user.value, "tokenFile"); !file.empty()) {
    access.token_file = BesideFile(user, file);
    access.token.clear();
  }
  access.username = TextOf(user.value, "username");
  access.password = TextOf(user.value, "password");
  access.exec = TRY(ReadExec(user));
  return {};
}

Result<KubeAccess> AccessOf(const std::vector<ConfigFile>& files, std::string context) {
  const std::string first = files.front().path.string();
  for (const ConfigFile& file : files) {
    if (context.empty()) context = TextOf(file.root, "current-context");
  }
  if (context.empty()) {
    return ConfigError(fmt::format("kubeconfig {} has no current-context; contexts: {}", first,
                                   NamesIn(files, "contexts")));
  }
  const auto chosen = FindEntry(files, "contexts", "context", context);
  if (!chosen) {
    return ConfigError(fmt::format("kubeconfig {} has no context '{}'; contexts: {}", first,
                                   context, NamesIn(files, "contexts")));
  }
  const std::string cluster_name = TextOf(chosen->value, "cluster");
  const std::string user_name = TextOf(chosen->value, "user");
  const auto cluster = FindEntry(files, "clusters", "cluster", cluster_name);
  if (!cluster) {
    return ConfigError(fmt::format("kubeconfig {}: context '{}' names cluster '{}'; clusters: {}",
                                   chosen->file.string(), context, cluster_name,
                                   NamesIn(files, "clusters")));
  }
  const auto user = FindEntry(files, "users", "user", user_name);
  if (!user && !user_name.empty()) {
    return ConfigError(fmt::format("kubeconfig {}: context '{}' names user '{}'; users: {}",
                                   chosen->file.string(), context, user_name,
                                   NamesIn(files, "users")));
  }
  KubeAccess access{.origin = fmt::format("context {} of {}", context, chosen->file.string()),
                    .server = {}};
  if (const std::string name = TextOf(chosen->value, "namespace"); !name.empty()) {
    access.default_namespace = name;
  }
  TRY(ReadCluster(*cluster, access));
  if (user) TRY(ReadUser(*user, access));
  return access;
}

Result<void> CheckPlace(const fs::path& file, const fs::path& uploads) {
  if (uploads.empty()) return {};
  std::error_code ignored;
  const fs::path real = fs::weakly_canonical(file, ignored);
  const fs::path refused = fs::weakly_canonical(uploads, ignored);
  const fs::path inside = real.lexically_relative(refused);
  if (inside.empty() || *inside.begin() == "..") return {};
  return ConfigError(
      fmt::format("kubeconfig {} lies in the workspace service's own folder, where "
                  "users put files: it is not taken",
                  file.string()));
}

std::string Variable(const KubeSource& source, const char* name) {
  const char* value = source.environment ? source.environment(name) : nullptr;
  return value == nullptr ? std::string() : value;
}

/// The files to merge; those of a list that do not exist are passed over.
std::vector<fs::path> ConfigPaths(const KubeSource& source) {
  if (!source.kubeconfig.empty()) return {source.kubeconfig};
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (const std::string& path : Split(Variable(source, "KUBECONFIG"), ':')) {
    if (!path.empty() && fs::exists(path, ignored)) paths.emplace_back(path);
  }
  if (!paths.empty()) return paths;
  const std::string home = Variable(source, "HOME");
  const fs::path usual = fs::path(home) / ".kube" / "config";
  if (!home.empty() && fs::exists(usual, ignored)) paths.push_back(usual);
  return paths;
}

Result<KubeAccess> InCluster(const KubeSource& source, const std::string& host) {
  const std::string port = Variable(source, "KUBERNETES_SERVICE_PORT");
  const bool is_v6 = host.find(':') != std::string::npos;
  KubeAccess access{.origin = "the service account of this pod",
                    .server = fmt::format("https://{}:{}", is_v6 ? "[" + host + "]" : host,
                                          port.empty() ? "443" : port)};
  access.token_file = source.service_account / "token";
  access.in_cluster = true;
  auto authority = ReadFile(source.service_account / "ca.crt", kSecretBytes);
  if (!authority) return ConfigError("the pod's service account: " + authority.error().message);
  access.ca_pem = *std::move(authority);
  if (auto name = ReadFile(source.service_account / "namespace", kSecretBytes)) {
    if (const std::string_view trimmed = Trim(*name); !trimmed.empty()) {
      access.default_namespace = std::string(trimmed);
    }
  }
  return access;
}

}  // namespace

Result<KubeAccess> FindKubeAccess(const KubeSource& source) {
  std::vector<ConfigFile> files;
  for (const fs::path& path : ConfigPaths(source)) {
    TRY(CheckPlace(path, source.uploads));
    files.push_back(TRY(ReadConfigFile(path)));
  }
  if (!files.empty()) {
    try {
      return AccessOf(files, source.context);
    } catch (const YAML::Exception& error) {
      return ConfigError(fmt::format("kubeconfig {}: {}", files.front().path.string(), error.msg));
    }
  }
  const std::string host = Variable(source, "KUBERNETES_SERVICE_HOST");
  if (!host.empty()) return InCluster(source, host);
  return ConfigError(
      "no cluster is known: there is no kubeconfig at KUBECONFIG or ~/.kube/config, and this is "
      "no pod with a service account");
}

}  // namespace slipway::deployer
