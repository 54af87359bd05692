// SPDX-License-Identifier: Apache-2.0
/// Each thing that can go wrong in a cluster, made to happen: the cause's code, what its one line
/// says, the line of the log that matters, and a fix that speaks of this fault.
#include <gmock/gmock.h>

#include <optional>
#include <ostream>

#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "deployer/causes.h"
#include "tests/deployer/kubernetes/fixture.h"

namespace slipway::deployer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// What a fault may touch before the service is applied.
struct Scene {
  DeploySpec& spec;
  FakeKubernetes& cluster;
  std::filesystem::path folder;
  /// The rollout stays where it is, with one pod in that status.
  std::function<void(const Json&)> stay;
};

struct Fault {
  const char* name;
  std::function<void(Scene&)> arrange;
  const char* cause;
  const char* line;  ///< part of the message
  const char* fix;   ///< part of the fix
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

using Arrange = std::function<void(Scene&)>;

/// The container's status with what every one has.
Json Container(Json status) {
  status["name"] = "scoring";
  status["image"] = "registry.example.com/team/digits";
  if (!status.contains("ready")) status["ready"] = false;
  if (!status.contains("restartCount")) status["restartCount"] = 0;
  return {{"phase", "Pending"}, {"containerStatuses", Json::array({status})}};
}

Arrange Waits(std::string reason, std::string message) {
  return [=](Scene& s) {
    s.stay(Container({{"state", {{"waiting", {{"reason", reason}, {"message", message}}}}}}));
  };
}

/// It ended, and is to be started again; the log of the run before has that text.
Arrange Ends(Json terminated, const std::string& log, int restarts = 3) {
  return [=](Scene& s) {
    s.stay(Container({{"state",
                       {{"waiting",
                         {{"reason", "CrashLoopBackOff"},
                          {"message", "back-off 40s restarting failed container=scoring"}}}}},
                      {"lastState", {{"terminated", terminated}}},
                      {"restartCount", restarts}}));
    s.cluster.Change([&log](State& state) { state.logs["digits-a/previous"] = log; });
  };
}

/// No node takes it, for what the scheduler says.
Arrange Unscheduled(std::string message) {
  return [=](Scene& s) {
    s.stay({{"phase", "Pending"},
            {"conditions",
             {{{"type", "PodScheduled"},
               {"status", "False"},
               {"reason", "Unschedulable"},
               {"lastTransitionTime", "2026-01-01T00:00:00Z"},
               {"message", message}}}}});
  };
}

/// The Deployment's controller makes no pods.
Arrange NoPods(std::string message) {
  return [=](Scene& s) {
    s.cluster.Change([message](State& state) {
      state.roll_out = [message](State&, Json& deployment) {
        deployment["status"] = {{"observedGeneration", deployment["metadata"]["generation"]},
                                {"conditions",
                                 {{{"type", "ReplicaFailure"},
                                   {"status", "True"},
                                   {"reason", "FailedCreate"},
                                   {"message", message}}}}};
      };
    });
  };
}

Arrange Running(std::string log) {
  return [=](Scene& s) {
    Json status = Container({{"state", {{"running", {{"startedAt", "2026-01-01T00:00:00Z"}}}}}});
    status["phase"] = "Running";
    s.stay(status);
    s.cluster.Change([&log](State& state) { state.logs["digits-a"] = log; });
  };
}

Arrange Denied(std::string verb_and_kind) {
  return [=](Scene& s) {
    s.cluster.Change([&](State& state) { state.denied.insert(verb_and_kind); });
  };
}

/// The server answers a request so, again and again.
Arrange Answers(std::string verb_and_kind, int status, const std::string& message) {
  return [=](Scene& s) {
    const http::Response answer{
        .status = status,
        .body = DumpJson({{"kind", "Status"}, {"message", message}, {"code", status}})};
    s.cluster.Change([&](State& state) {
      state.faults_of[verb_and_kind] = std::vector<http::Response>(20, answer);
    });
  };
}

Arrange Event(std::string reason, std::string message, Arrange before) {
  return [=](Scene& s) {
    before(s);
    s.cluster.Change([&](State& state) {
      state.objects["/api/v1/namespaces/lab/events/e"] = {
          {"metadata", {{"name", "e"}}},
          {"type", "Warning"},
          {"reason", reason},
          {"message", message},
          {"involvedObject", {{"kind", "Pod"}, {"name", "digits-a"}}}};
    });
  };
}

void Kubeconfig(Scene& s, const std::string& server, const std::string& more = "") {
  const std::filesystem::path file = s.folder / "other";
  EXPECT_TRUE(WriteFileAtomic(file, "clusters: [{name: c, cluster: {server: \"" + server + "\"" +
                                        more +
                                        "}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: "
                                        "[{name: x, context: {cluster: c, user: u, namespace: "
                                        "lab}}]\ncurrent-context: x\n"));
  s.spec.deployment.kubernetes.kubeconfig = file;
}

const Fault kFaults[] = {
    {"ImagePullBackOff",
     Event("Failed",
           "Failed to pull image \"registry.example.com/team/digits\": rpc error: code = Unknown "
           "desc = no basic auth credentials",
           Waits("ImagePullBackOff", "Back-off pulling image")),
     "ImagePullBackOff", "no basic auth credentials", "image_pull_secret"},
    {"ImageNotThere",
     Waits("ErrImagePull", "rpc error: manifest for registry.example.com/team/digits not found"),
     "ImagePullBackOff", "not found", "push the image"},
    {"ImageNeverPulled",
     Waits("ErrImageNeverPull", "Container image \"x\" is not present with pull policy of Never"),
     "ErrImageNeverPull", "pull policy of Never", "imagePullPolicy"},
    {"ImageNameInvalid",
     Waits("InvalidImageName",
           "Failed to apply default image tag \"UPPER\": couldn't parse image reference"),
     "InvalidImageName", "UPPER", "lower-case"},
    {"CrashLoop",
     Ends({{"exitCode", 1}, {"reason", "Error"}},
          "loading\nTraceback (most recent call last):\n  File \"score.py\", line 3\n"
          "ModuleNotFoundError: No module named 'torch'\n"),
     "CrashLoopBackOff", "No module named 'torch'", "log"},
    {"CrashLoopSaysNothing", Ends({{"exitCode", 139}, {"reason", "Error"}}, ""), "CrashLoopBackOff",
     "exit code 139", "log"},
    {"OutOfMemory", Ends({{"exitCode", 137}, {"reason", "OOMKilled"}}, "loading the model\n"),
     "OOMKilled", "more memory than its limit", "memory_gb"},
    {"CannotBeStarted",
     Ends({{"exitCode", 128},
           {"reason", "StartError"},
           {"message", "exec: \"/bin/slipway-serve\": stat: no such file or directory"}},
          ""),
     "RunContainerError", "no such file or directory", "build the image again"},
    {"RunsAsRoot",
     Waits("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
     "CreateContainerConfigError", "runAsNonRoot", "not root"},
    {"LivenessKills",
     Event("Unhealthy", "Liveness probe failed: Get http://10.1.1.1:5001/healthz: timeout",
           Ends({{"exitCode", 143}, {"reason", "Error"}}, "INFO serving\n")),
     "LivenessFailed", "Liveness probe failed", "timeout_seconds"},
    {"NoRoom",
     Unscheduled("0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient "
                 "cpu. preemption: 0/3 nodes are available: 3 No preemption victims found."),
     "Unschedulable", "2 Insufficient cpu", "cpu_cores"},
    {"Tainted",
     Unscheduled("0/2 nodes are available: 2 node(s) had untolerated taint "
                 "{node-role.kubernetes.io/control-plane: }. preemption: 0/2 nodes are available"),
     "NodeTainted", "control-plane", "kubectl taint"},
    {"TaintedAsOldClustersSayIt",
     Unscheduled("0/1 nodes are available: 1 node(s) had taint {gpu: only}, that the pod didn't "
                 "tolerate."),
     "NodeTainted", "gpu", "kubectl taint"},
    {"SelectorMatchesNone",
     Unscheduled("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."),
     "NodeMismatch", "affinity/selector", "kubectl label node"},
    {"ClaimUnbound",
     Unscheduled("0/1 nodes are available: 1 pod has unbound immediate PersistentVolumeClaims."),
     "VolumePending", "unbound", "kubectl describe pvc"},
    {"VolumeFails",
     Event("FailedMount", "MountVolume.SetUp failed for volume \"x\": secret \"x\" not found",
           [](Scene& s) {
             s.stay({{"phase", "Pending"}});
           }),
     "VolumeFailed", "secret \"x\" not found", "Secret"},
    {"SandboxFails",
     Event("FailedCreatePodSandBox", "Failed to create pod sandbox: plugin type=\"cni\" failed",
           [](Scene& s) {
             s.stay({{"phase", "Pending"}});
           }),
     "SandboxFailed", "cni", "network plugin"},
    {"Evicted",
     [](Scene& s) {
       s.stay({{"phase", "Failed"},
               {"reason", "Evicted"},
               {"message", "The node was low on resource: memory."}});
     },
     "Evicted", "low on resource", "memory_gb"},
    {"NeverReady", Running("WARN still loading shard 3 of 9\n"), "NotReady",
     "still loading shard 3", "log"},
    {"ReadinessFails",
     Event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503",
           Running("ERROR model is warming up\n")),
     "ProbeFailed", "statuscode: 503", "log"},
    {"QuotaForPods",
     NoPods("pods \"digits-x\" is forbidden: exceeded quota: few, requested: cpu=1, used: cpu=0, "
            "limited: cpu=500m"),
     "QuotaExceeded", "exceeded quota: few", "cpu_cores"},
    {"QuotaForObjects",
     Answers("patch services", 403,
             "services \"digits\" is forbidden: exceeded quota: few, requested: services=1"),
     "QuotaExceeded", "services=1", "quota"},
    {"AdmissionRefusesPods",
     NoPods("pods \"digits-x\" is forbidden: violates PodSecurity \"restricted:latest\""),
     "PodsRefused", "violates PodSecurity", "message names"},
    {"AdmissionRefuses",
     Answers("patch deployments", 403,
             "admission webhook \"policy.example.com\" denied the request: no team label"),
     "ClusterRefused", "no team label", "message names"},
    {"NamespaceEnds",
     Answers("patch deployments", 403,
             "deployments.apps \"digits\" is forbidden: unable to create new content in namespace "
             "lab because it is being terminated"),
     "ClusterRefused", "being terminated", "message names"},
    {"Forbidden", Denied("patch deployments"), "Forbidden", "cannot patch resource",
     "resources: [\"deployments\"], verbs: [\"patch\"]"},
    {"TokenExpired", [](Scene& s) { s.cluster.Change([](State& state) { state.token = "new"; }); },
     "Unauthorized", "Unauthorized", "log in"},
    {"Unreachable", [](Scene& s) { Kubeconfig(s, "http://127.0.0.1:1"); }, "ClusterUnreachable",
     "127.0.0.1:1", "VPN"},
    {"SpeaksNoTls", [](Scene& s) { Kubeconfig(s, "https" + s.cluster.url().substr(4)); },
     "ClusterUnreachable", "https://127.0.0.1:", "kubeconfig"},
    {"HostUnknown", [](Scene& s) { Kubeconfig(s, "https://cluster.invalid:6443"); },
     "ClusterUnreachable", "cluster.invalid", "kubeconfig"},
    {"NoCluster", [](Scene& s) { s.spec.deployment.kubernetes.kubeconfig = s.folder / "nothing"; },
     "ClusterConfig", "nothing", "kubeconfig"},
    {"NoContext", [](Scene& s) { s.spec.deployment.kubernetes.context = "production"; },
     "ClusterConfig", "production", "kubernetes.context"},
    {"ServerFails", Answers("patch deployments", 500, "etcdserver: no leader"), "ClusterFailed",
     "etcdserver: no leader", "API server"},
    {"ServerBusy", Answers("patch deployments", 429, "the server has received too many requests"),
     "ClusterBusy", "too many requests", "try again"},
    {"NamespaceMissing", [](Scene& s) { s.spec.deployment.kubernetes.name_space = "nowhere"; },
     "NamespaceMissing", "nowhere", "kubectl create namespace"},
    {"NoAutoscaling",
     [](Scene& s) {
       s.spec.deployment = KubeFullSpec().deployment;
       s.spec.deployment.kubernetes.kubeconfig = s.cluster.WriteKubeconfig(s.folder);
       s.cluster.Change([](State& state) { state.apis.erase("autoscaling/v2"); });
     },
     "ApiMissing", "autoscaling/v2", "num_replicas"},
    {"NoIngressApi",
     [](Scene& s) {
       s.spec.deployment.kubernetes.ingress_host = "digits.example.com";
       s.cluster.Change([](State& state) { state.apis.erase("networking.k8s.io/v1"); });
     },
     "ApiMissing", "networking.k8s.io/v1", "ingress_host"},
    {"NameTaken",
     [](Scene& s) {
       s.cluster.Change([](State& state) {
         state.objects["/api/v1/namespaces/lab/services/digits"]["metadata"]["name"] = "digits";
       });
     },
     "NameTaken", "somebody else", "another service name"},
    {"NotPushed", [](Scene& s) { s.spec.image_location.clear(); }, "ImageNotPushed", "digits:1",
     "slipway image push"},
    {"NoLoadBalancer", [](Scene& s) { s.spec.deployment.kubernetes.service_type = "LoadBalancer"; },
     "LoadBalancerPending", "no address yet", "NodePort"},
    {"NotThereInTime",
     [](Scene& s) {
       s.cluster.Change([](State& state) {
         state.roll_out = [](State& inside, Json& deployment) {
           FakeKubernetes::BecomeHealthy(inside, deployment);
           deployment["status"]["updatedReplicas"] = 0;
           deployment["status"]["conditions"][1] = {{"type", "Progressing"},
                                                    {"status", "False"},
                                                    {"reason", "ProgressDeadlineExceeded"}};
         };
       });
     },
     "ProgressDeadlineExceeded", "not there in time", "events"},
};

class KubernetesFault : public KubernetesTarget, public ::testing::WithParamInterface<Fault> {};

TEST_P(KubernetesFault, EndsInItsCause) {
  const Fault& fault = GetParam();
  DeploySpec spec = Spec();
  Scene scene{.spec = spec,
              .cluster = cluster_,
              .folder = folder_.path(),
              .stay = [this](const Json& status) { StayWith(status); }};
  fault.arrange(scene);
  const auto applied = driver_->Apply(spec);
  Error error;
  if (!applied) {
    error = applied.error();
    EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound") << "something is left";
  } else {
    const auto ready =
        WaitReady(*driver_, key_, SystemClock(), {.timeout = std::chrono::seconds(2)});
    ASSERT_FALSE(ready) << "it became ready";
    error = ready.error();
  }
  EXPECT_EQ(error.id, "Service." + std::string(fault.cause)) << error.message;
  EXPECT_THAT(error.message, HasSubstr(fault.line));
  EXPECT_THAT(error.message, Not(HasSubstr("\n")));
  EXPECT_THAT(error.message, Not(HasSubstr("secret-token")));
  EXPECT_THAT(error.fix, HasSubstr(fault.fix));
  EXPECT_EQ(CauseOf(fault.cause).code, fault.cause);
}

INSTANTIATE_TEST_SUITE_P(All, KubernetesFault, ::testing::ValuesIn(kFaults),
                         [](const ::testing::TestParamInfo<Fault>& row) {
                           return std::string(row.param.name);
                         });

/// A TLS server with a certificate of its own authority; nothing where there is no openssl.
class Stranger {
 public:
  explicit Stranger(const std::filesystem::path& folder) : folder_(folder) {
    const auto made = Run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=stranger "
        "-addext subjectAltName=IP:127.0.0.1 -keyout s.key -out s.pem");
    if (!made || WaitForExit(*made, std::chrono::seconds(20)) != 0) return;
    if (auto server = Run("s_server -accept 127.0.0.1:0 -www -cert s.pem -key s.key")) {
      server_ = *server;
    }
  }
  ~Stranger() {
    if (server_) static_cast<void>(Terminate(*server_, std::chrono::seconds(2)).has_value());
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  /// `https://127.0.0.1:…`; empty where it does not serve.
  std::string Url() {
    constexpr std::string_view kMark = "ACCEPT 127.0.0.1:";
    for (int i = 0; i < 1'000 && server_; ++i) {
      const auto said = ReadFile(folder_ / "openssl.log", 1 << 20);
      const std::size_t at = said ? said->find(kMark) : std::string::npos;
      if (at != std::string::npos && said->find('\n', at) != std::string::npos) {
        const std::size_t from = at + kMark.size();
        return "https://127.0.0.1:" + said->substr(from, said->find('\n', from) - from);
      }
      SystemClock().Sleep(std::chrono::milliseconds(10));
    }
    return "";
  }

 private:
  Result<ProcessId> Run(const std::string& words) {
    return Spawn({.argv = Split("openssl " + words, ' '),
                  .environment = {"PATH=/usr/bin:/bin", "HOME=" + folder_.string()},
                  .folder = folder_,
                  .log = folder_ / "openssl.log"});
  }
  const std::filesystem::path folder_;
  std::optional<ProcessId> server_;
};

TEST_F(KubernetesTarget, ACertificateThatIsNotTrustedIsNoAccess) {
  Stranger stranger(folder_.path());
  const std::string url = stranger.Url();
  if (url.empty()) GTEST_SKIP() << "the program openssl is not installed";
  DeploySpec spec = Spec();
  Scene scene{.spec = spec, .cluster = cluster_, .folder = folder_.path(), .stay = {}};
  Kubeconfig(scene, url);
  const Error error = driver_->Apply(spec).error();
  EXPECT_EQ(error.id, "Service.ClusterUntrusted") << error.message;
  EXPECT_THAT(error.message, HasSubstr(url.substr(8)));
  EXPECT_THAT(error.fix, HasSubstr("certificate-authority-data"));
  EXPECT_EQ(driver_->Observe(key_).error().id, "Service.NotFound") << "something is left";
}

/// An autoscaler's status with that condition false.
void Blind(FakeKubernetes& cluster, const std::string& type, const std::string& reason,
           const std::string& message, const std::string& since) {
  cluster.Change([&](State& state) {
    state.objects["/apis/autoscaling/v2/namespaces/lab/horizontalpodautoscalers/digits"]["status"] =
        {{"desiredReplicas", 2},
         {"conditions",
          {{{"type", type},
            {"status", "False"},
            {"reason", reason},
            {"message", message},
            {"lastTransitionTime", since}}}}};
  });
}

TEST_F(KubernetesTarget, AnAutoscalerWithoutMetricsIsSaidOfAServiceThatAnswers) {
  DeploySpec spec = Located(KubeFullSpec());
  spec.deployment.kubernetes.service_type = "ClusterIP";
  ASSERT_TRUE(driver_->Apply(spec));
  EXPECT_EQ(WaitReady(*driver_, key_, SystemClock())->cause, "");
  const auto says = [this](const std::string& words) {
    for (int i = 0; i < 200; ++i) {
      const auto seen = driver_->Observe(key_);
      EXPECT_EQ(seen->phase, Phase::kHealthy);
      const std::string said = seen->cause + ": " + seen->detail;
      if (said.find(words) != std::string::npos) return true;
      driver_->AwaitChange(key_, std::chrono::milliseconds(10), SystemClock());
    }
    return false;
  };
  const std::string young = FormatTime(SystemClock().Now());
  Blind(cluster_, "ScalingActive", "FailedGetResourceMetric",
        "did not receive metrics for any ready pods", young);
  EXPECT_FALSE(says("MetricsMissing")) << "metrics of new pods take their time";
  Blind(cluster_, "ScalingActive", "FailedGetResourceMetric",
        "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics "
        "API: the server could not find the requested resource (get pods.metrics.k8s.io)",
        young);
  EXPECT_TRUE(says("MetricsMissing: "));
  EXPECT_THAT(CauseOf("MetricsMissing").fix, HasSubstr("metrics-server"));
  Blind(cluster_, "ScalingActive", "FailedGetResourceMetric",
        "did not receive metrics for any ready pods", "2026-01-01T00:00:00Z");
  EXPECT_TRUE(says("did not receive metrics"));
  Blind(cluster_, "AbleToScale", "FailedGetScale", "deployments.apps \"digits\" is forbidden",
        "2026-01-01T00:00:00Z");
  EXPECT_TRUE(says("AutoscalerStuck: "));
}

}  // namespace
}  // namespace slipway::deployer
