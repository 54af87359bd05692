// SPDX-License-Identifier: Apache-2.0
/// Each thing that can go wrong on a target, made to happen: the cause's code, what its one line
/// says, and that there is a fix.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "deployer/causes.h"
#include "deployer/process/socket.h"
#include "tests/deployer/aci/fixture.h"
#include "tests/support/fake_docker.h"
#include "tests/support/http_fixture.h"

namespace slipway::deployer {
namespace {

namespace fs = std::filesystem;

/// What a fault may touch before the service is applied.
struct Scene {
  DeploySpec& spec;
  testing::FakeDocker& docker;
  testing::FakeAzure& azure;
  std::string& archive;  ///< `NAME ARCHITECTURE` of the image to load
};

struct Fault {
  const char* name;
  const char* target;
  std::function<void(Scene&)> arrange;
  const char* cause;  ///< its code, or an error's whole id
  const char* line;   ///< part of the message
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

using Arrange = std::function<void(Scene&)>;

Arrange Mode(std::string mode, std::string say = "hello") {
  return [mode, say](Scene& scene) {
    scene.spec.environment = {"FAKE=" + mode, "SAY=" + say};
    scene.spec.entrypoint = {"/bin/fake_serve", "--mode", mode, "--say", say};
  };
}

Arrange Docker(std::string operation, int status, const std::string& message) {
  return [operation, status, message](Scene& scene) {
    scene.docker.Break(operation, {.status = status, .body = DumpJson({{"message", message}})});
  };
}

Arrange Azure(std::string method, int status, std::string code, std::string message) {
  return [=](Scene& scene) {
    scene.azure.Break(method, {.status = status, .code = code, .message = message});
  };
}

Arrange Operation(std::string code, std::string message) {
  return [=](Scene& scene) { scene.azure.FailOperations(code, message); };
}

/// Listens for the whole run of the program.
int TakenPort() {
  static const Listener listener = *ListenOn("127.0.0.1", 0);
  return listener.port;
}

void TakePort(Scene& scene) { scene.spec.port = TakenPort(); }

/// Something that is no Docker Engine.
std::string Stranger() {
  static const auto server = testing::StartServer(testing::LocalOptions(), [](http::Request&) {
    http::Response response;
    response.body = "hello";
    return response;
  });
  return testing::UrlOf(*server);
}

const Fault kFaults[] = {
    {"ProcessExits", "process", Mode("exit:1"), "CrashLoop", "exit status 1"},
    {"ProcessCannotLoad", "process", Mode("exit:3"), "ModelInvalid", "exit status 3"},
    {"ProcessIsKilled", "process", Mode("crash"), "CrashLoop", "signal 11"},
    {"ProcessAnswersWrong", "process", Mode("wrong"), "WrongAnswers", "not yet"},
    {"ProcessHangs", "process", Mode("hang"), "NotReady", "not ready after"},
    {"ProcessPortTaken", "process", TakePort, "Port.InUse", "127.0.0.1:"},
    {"ProcessProgramMissing", "process", [](Scene& s) { s.spec.entrypoint = {"/bin/nothing"}; },
     "ProgramMissing", "/bin/nothing"},

    {"DockerUnreachable", "docker",
     [](Scene& s) { s.spec.deployment.docker.host = "unix:///nowhere/docker.sock"; },
     "EngineUnreachable", "unix:///nowhere/docker.sock"},
    {"DockerIsSomethingElse", "docker",
     [](Scene& s) { s.spec.deployment.docker.host = Stranger(); }, "EngineRefused",
     "no Docker Engine"},
    {"DockerTooOld", "docker", [](Scene& s) { s.docker.SetVersion("1.30", "1.12"); },
     "EngineTooOld", "1.12 to 1.30"},
    {"DockerTooNew", "docker", [](Scene& s) { s.docker.SetVersion("1.60", "1.50"); },
     "EngineTooOld", "1.50 to 1.60"},
    {"DockerRefuses", "docker", Docker("POST /containers/create", 400, "invalid argument"),
     "EngineRefused", "invalid argument"},
    {"DockerFails", "docker", Docker("POST /containers/{id}/start", 500, "it is broken"),
     "EngineFailed", "it is broken"},
    {"DockerDiskFull", "docker",
     [](Scene& s) {
       s.docker.Break("POST /images/load",
                      {.status = 200,
                       .body = R"({"errorDetail":{"message":"x"},)"
                               R"("error":"write /layer: no space left on device"})"});
     },
     "DiskFull", "no space left on device"},
    {"DockerLoadFails", "docker",
     [](Scene& s) {
       s.docker.Break("POST /images/load", {.status = 200, .body = R"({"error":"bad tar"})"});
     },
     "ImageLoadFailed", "bad tar"},
    {"DockerWrongArchitecture", "docker", [](Scene& s) { s.archive = "digits:1 arm64"; },
     "WrongArchitecture", "arm64"},
    {"DockerImageMissing", "docker", [](Scene& s) { s.spec.archive = {}; }, "ImageMissing",
     "digits:1"},
    {"DockerPullDenied", "docker",
     [](Scene& s) {
       s.spec.archive = {};
       s.spec.image_location = "r.example/digits";
       s.docker.Break("POST /images/create",
                      {.status = 404, .body = R"({"message":"pull access denied"})"});
     },
     "ImagePullFailed", "r.example/digits"},
    {"DockerPortTaken", "docker", TakePort, "PortInUse", "127.0.0.1:"},
    {"DockerNoNetwork", "docker",
     Docker("POST /containers/{id}/start", 404, "network blue not found"), "NetworkMissing",
     "network blue not found"},
    {"DockerNoGpu", "docker",
     Docker("POST /containers/{id}/start", 500,
            "could not select device driver \"nvidia\" with capabilities: [[gpu]]"),
     "NoDevice", "nvidia"},
    {"DockerProgramMissing", "docker",
     Docker("POST /containers/{id}/start", 400,
            "OCI runtime create failed: exec: \"/x\": executable file not found in $PATH"),
     "ProgramMissing", "executable file not found"},
    {"DockerExits", "docker", Mode("exit:1", "no table"), "Exited", "cannot go on: no table"},
    {"DockerCannotLoad", "docker", Mode("exit:3", "bad model"), "ModelInvalid",
     "cannot go on: bad model"},
    {"DockerCannotStartItsScript", "docker", Mode("exit:3", "no numpy cause=Script.InitFailed"),
     "ScriptInvalid", "no numpy"},
    {"DockerWritesToItsImage", "docker",
     Mode("exit:3", "OSError: [Errno 30] Read-only file system: 'cache'"), "ReadOnly", "Errno 30"},
    {"DockerIsKilled", "docker", Mode("exit:139"), "Killed", "signal 11"},
    {"DockerOutOfMemory", "docker", Mode("oom"), "OOMKilled", "memory"},
    {"DockerAnswersWrong", "docker", Mode("wrong"), "WrongAnswers", "sample 3 differs"},
    {"DockerNeverReady", "docker", Mode("never"), "NotReady", "still loading"},

    {"AciNoCredentials", "aci", [](Scene&) { ::unsetenv("AZURE_CLIENT_SECRET"); }, "LoginMissing",
     "credentials"},
    {"AciWrongSecret", "aci", [](Scene&) { ::setenv("AZURE_CLIENT_SECRET", "wrong-secret", 1); },
     "LoginFailed", "AADSTS7000215"},
    {"AciTokenRefused", "aci", [](Scene&) { ::setenv("AZURE_ACCESS_TOKEN", "stale", 1); },
     "LoginFailed", "ExpiredAuthenticationToken"},
    {"AciUnreachable", "aci",
     [](Scene&) { ::setenv("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1", 1); }, "CloudUnreachable",
     "127.0.0.1:1"},
    {"AciNotAllowed", "aci", Azure("PUT", 403, "AuthorizationFailed", "no action 'write'"),
     "NotAuthorized", "no action 'write'"},
    {"AciThrottled", "aci",
     [](Scene& s) {
       s.azure.Break(
           "PUT",
           {.status = 429, .code = "TooManyRequests", .message = "slow down", .retry_after = "60"});
     },
     "Throttled", "slow down"},
    {"AciConflict", "aci", Azure("PUT", 409, "ContainerGroupTransitioning", "still updating"),
     "CloudBusy", "still updating"},
    {"AciQuota", "aci",
     Azure("PUT", 409, "ContainerGroupQuotaReached", "StandardCores exceeded in westeurope"),
     "CloudQuota", "StandardCores"},
    {"AciNoCapacity", "aci",
     Azure("PUT", 409, "ServiceUnavailable", "The requested resource is not available"),
     "NoCapacity", "not available"},
    {"AciNoCapacityLater", "aci", Operation("InsufficientCapacity", "no room in westeurope"),
     "NoCapacity", "no room"},
    {"AciImageInaccessible", "aci",
     Azure("PUT", 400, "InaccessibleImage", "The image 'x' is not accessible."), "ImagePullFailed",
     "not accessible"},
    {"AciPullFails", "aci", Mode("pull"), "ImagePullFailed", "unauthorized"},
    {"AciNoResourceGroup", "aci",
     Azure("PUT", 404, "ResourceGroupNotFound", "Resource group 'group-1' could not be found."),
     "ResourceGroupMissing", "group-1"},
    {"AciNoSubscription", "aci",
     Azure("PUT", 404, "SubscriptionNotFound", "The subscription 'sub-1' could not be found."),
     "SubscriptionMissing", "sub-1"},
    {"AciProviderMissing", "aci",
     Azure("PUT", 409, "MissingSubscriptionRegistration", "not registered"),
     "ProviderNotRegistered", "not registered"},
    {"AciNoSuchRegion", "aci",
     Azure("PUT", 400, "LocationNotAvailableForResourceType", "The location 'mars'"),
     "RegionUnknown", "mars"},
    {"AciLabelTaken", "aci",
     Azure("PUT", 400, "DnsNameLabelNotAvailable", "the label 'x' is taken"), "DnsLabelTaken",
     "taken"},
    {"AciFails", "aci", Azure("PUT", 500, "InternalServerError", "oops"), "CloudFailed", "oops"},
    {"AciRefuses", "aci", Azure("PUT", 400, "InvalidOsType", "no such OS"), "CloudRefused",
     "no such OS"},
    {"AciNoPlace", "aci", [](Scene& s) { s.spec.deployment.location = ""; }, "PlaceMissing",
     "location"},
    {"AciImageNotPushed", "aci", [](Scene& s) { s.spec.image_location = ""; }, "ImageNotPushed",
     "digits:1"},
    {"AciCrashLoop", "aci", Mode("crash", "no table"), "CrashLoopBackOff",
     "cannot go on: no table"},
    {"AciOutOfMemory", "aci", Mode("oom"), "OOMKilled", "memory"},
    {"AciCannotStartItsScript", "aci", Mode("exit:3", "no numpy cause=Script.InitFailed"),
     "ScriptInvalid", "no numpy"},
    {"AciCannotLoad", "aci", Mode("exit:3"), "ModelInvalid", "exit status 3"},
    {"AciAnswersWrong", "aci", Mode("wrong"), "WrongAnswers", "sample 3 differs"},
    {"AciNeverStarts", "aci", Mode("pending"), "NotReady", "Waiting"},
};

class FaultTest : public ::testing::TestWithParam<Fault>, protected AciFixture {
 protected:
  FaultTest() : docker_(state_ / "docker.sock") {
    const fs::path bin = fs::path(SLIPWAY_BINARY_DIR) / "bin";
    EXPECT_TRUE(MakeFolders(rootfs_ / "bin"));
    fs::copy_file(bin / "fake_serve", rootfs_ / "bin/fake_serve");
  }

  DeploySpec SpecFor(std::string_view target) {
    DeploySpec spec = Spec("ok");
    spec.rootfs = rootfs_;
    if (target == "aci") return spec;
    spec.deployment = DefaultDeployment(target);
    spec.deployment.docker.host = docker_.host();
    spec.image_location.clear();
    spec.archive = [this]() -> Result<fs::path> {
      std::ofstream(state_ / "image.tar") << archive_;
      return state_ / "image.tar";
    };
    return spec;
  }

  testing::FakeDocker docker_;
  const fs::path rootfs_ = state_ / "rootfs";
  std::string archive_ = "digits:1 amd64";
};

TEST_P(FaultTest, EndsInItsCause) {
  const Fault& fault = GetParam();
  const std::string cause = fault.cause;
  DeploySpec spec = SpecFor(fault.target);
  Scene scene{.spec = spec, .docker = docker_, .azure = azure_, .archive = archive_};
  Mode("ok")(scene);
  fault.arrange(scene);
  Open();
  auto driver = targets_->Find(fault.target);
  ASSERT_TRUE(driver);
  const ServiceKey key{spec.workspace, spec.service};
  const auto applied = (*driver)->Apply(spec);
  Error error;
  if (!applied) {
    error = applied.error();
    EXPECT_EQ((*driver)->Observe(key).error().id, "Service.NotFound") << "something is left";
  } else {
    const std::chrono::seconds timeout(cause == "NotReady" ? 3 : 60);
    const auto ready = WaitReady(**driver, key, SystemClock(), {.timeout = timeout});
    ASSERT_FALSE(ready) << "it became ready";
    error = ready.error();
  }
  EXPECT_EQ(error.id, cause.find('.') == cause.npos ? "Service." + cause : cause) << error.message;
  EXPECT_NE(error.message.find(fault.line), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
  for (const char* secret : {"right secret", "wrong-secret", "stale", "token-"}) {
    EXPECT_EQ(error.message.find(secret), std::string::npos) << "it shows a secret";
  }
  EXPECT_FALSE(error.fix.empty());
  EXPECT_TRUE((*driver)->Remove(key));
  EXPECT_TRUE(docker_.containers().empty());
  for (const std::string& wrong : docker_.violations()) ADD_FAILURE() << wrong;
  for (const std::string& wrong : azure_.violations()) ADD_FAILURE() << wrong;
}

INSTANTIATE_TEST_SUITE_P(Targets, FaultTest, ::testing::ValuesIn(kFaults),
                         [](const ::testing::TestParamInfo<Fault>& row) {
                           return std::string(row.param.name);
                         });

TEST(Causes, EachHasACodeOfItsOwnAMeaningAndAFix) {
  std::set<std::string_view> codes;
  for (const Cause& cause : Causes()) {
    EXPECT_TRUE(codes.insert(cause.code).second) << cause.code << " comes twice";
    EXPECT_FALSE(cause.meaning.empty()) << cause.code;
    EXPECT_FALSE(cause.fix.empty()) << cause.code;
    EXPECT_EQ(CauseOf(cause.code).code, cause.code);
  }
  for (const Fault& fault : kFaults) {
    const std::string cause = fault.cause;
    EXPECT_TRUE(cause.find('.') != cause.npos || codes.contains(cause)) << cause;
  }
}

}  // namespace
}  // namespace slipway::deployer
