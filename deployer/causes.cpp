// SPDX-License-Identifier: Apache-2.0
#include "deployer/causes.h"

#include <utility>

namespace slipway::deployer {
namespace {

constexpr Cause kCauses[] = {
    {"Exited", Code::kUnavailable, "the program ended; it is started again",
     "read the service's log"},
    {"CrashLoop", Code::kFailedPrecondition,
     "the program ended five times in a row soon after its start",
     "read the service's log; deploy an image whose program stays up"},
    {"Killed", Code::kUnavailable, "a signal ended the program",
     "look for the machine's out-of-memory killer, or give the service more memory"},
    {"ModelInvalid", Code::kInvalidArgument, "the program could not load its model",
     "try the model with `slipway model check FILE`"},
    {"ScriptInvalid", Code::kInvalidArgument, "the scoring script could not be started",
     "read its traceback in the service's log; `slipway-serve --script FILE` tries it at once"},
    {"NotReady", Code::kDeadlineExceeded, "the program runs but does not say it is ready",
     "read the service's log, or wait longer"},
    {"PortInUse", Code::kFailedPrecondition, "another program listens on the service's port",
     "stop that program, or deploy the service with another port"},
    {"ProgramMissing", Code::kNotFound, "the image has no such program", "build the image again"},
    {"CloudBusy", Code::kFailedPrecondition, "Azure is still changing the container group",
     "wait a minute, then try again"},
    {"CloudFailed", Code::kUnavailable, "Azure failed", "try again; look at Azure's status page"},
    {"CloudQuota", Code::kResourceExhausted, "the subscription's quota in that region is used up",
     "delete container groups, ask Azure for more quota, or set another location"},
    {"CloudRefused", Code::kFailedPrecondition, "Azure refused the request",
     "change what the message names"},
    {"CloudUnreachable", Code::kUnavailable, "Azure does not answer",
     "check the network and proxy of the workspace service's machine"},
    {"DnsLabelTaken", Code::kFailedPrecondition, "another container group has that DNS label",
     "set another dns_name_label, or leave it out"},
    {"LoginFailed", Code::kPermissionDenied, "Azure does not take the credentials",
     "renew AZURE_CLIENT_SECRET or AZURE_ACCESS_TOKEN of slipwayd, and start it again"},
    {"LoginMissing", Code::kFailedPrecondition, "there are no credentials for Azure",
     "start slipwayd with AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"},
    {"NoCapacity", Code::kUnavailable, "the region has no room for the container group now",
     "try again later, ask for less (cpu_cores, memory_gb), or set another location"},
    {"NotAuthorized", Code::kPermissionDenied, "Azure does not allow it",
     "give the service principal the role Contributor on the resource group"},
    {"PlaceMissing", Code::kInvalidArgument, "it is not said where in Azure the service is to run",
     "set aci.subscription_id, aci.resource_group and location in the deployment"},
    {"ProviderNotRegistered", Code::kFailedPrecondition,
     "the subscription does not use container instances yet",
     "az provider register --namespace Microsoft.ContainerInstance"},
    {"RegionUnknown", Code::kInvalidArgument, "container instances do not run in that region",
     "set another location: az provider show --namespace Microsoft.ContainerInstance"},
    {"ResourceGroupMissing", Code::kNotFound, "there is no such resource group",
     "make it (az group create), or set another aci.resource_group"},
    {"SubscriptionMissing", Code::kNotFound, "there is no such subscription for these credentials",
     "set another aci.subscription_id"},
    {"Throttled", Code::kResourceExhausted, "Azure takes no more requests for now",
     "wait some minutes, then try again"},
    {"ContainerMissing", Code::kNotFound, "somebody else removed the service's container",
     "deploy the service again"},
    {"ContainerStopped", Code::kUnavailable, "somebody else stopped the service's container",
     "start that container, or deploy the service again"},
    {"DiskFull", Code::kResourceExhausted, "the engine's disk is full",
     "free space where the engine keeps its images: docker system prune"},
    {"EngineDenied", Code::kPermissionDenied, "the Docker Engine's socket may not be used",
     "run slipwayd as a user of the group docker, or as root"},
    {"EngineFailed", Code::kUnavailable, "the Docker Engine failed", "read the engine's own log"},
    {"EngineRefused", Code::kFailedPrecondition, "the Docker Engine refused the request",
     "change what the message names"},
    {"EngineSlow", Code::kDeadlineExceeded, "the Docker Engine does not answer in time",
     "look at the load of the engine's machine, then try again"},
    {"EngineTooOld", Code::kUnimplemented, "no API version that both sides speak",
     "use a Docker Engine of API 1.40 to 1.47: Docker 19.03 or newer"},
    {"EngineUnreachable", Code::kUnavailable, "no Docker Engine answers",
     "start Docker, or name another engine: docker.host in the deployment, or DOCKER_HOST"},
    {"ImageLoadFailed", Code::kUnavailable, "the engine could not load the image",
     "check the image with `slipway image verify`"},
    {"ImageMissing", Code::kNotFound, "the image is not where it is to run",
     "deploy again: that brings the image there"},
    {"ImagePullFailed", Code::kFailedPrecondition, "the image could not be pulled",
     "push the image to that registry, and give image_registry username and password"},
    {"NetworkMissing", Code::kFailedPrecondition, "the engine has no such network",
     "set docker.network in the deployment to one that there is, or to host"},
    {"NoDevice", Code::kFailedPrecondition, "the engine has no such GPU",
     "install the NVIDIA container toolkit there, or leave out gpu_cores"},
    {"OOMKilled", Code::kResourceExhausted, "the program used more memory than it may",
     "give the service more memory: memory_gb in the deployment"},
    {"ReadOnly", Code::kFailedPrecondition,
     "the program writes where it may not: the image's files are read-only",
     "write to /tmp; target docker also has docker.read_only: false"},
    {"RelayFailed", Code::kUnavailable, "the program that holds the service's port failed",
     "read the service's relay log"},
    {"ApiMissing", Code::kUnimplemented, "the cluster lacks an API that the service needs",
     "use a cluster of Kubernetes 1.26 or newer, or leave out what needs that API"},
    {"ClusterBusy", Code::kUnavailable, "the cluster's API server takes no more requests for now",
     "try again in a minute; ask the cluster's administrator what keeps it busy"},
    {"ClusterFailed", Code::kUnavailable, "the cluster's API server failed",
     "try again; look at the logs of the API server, or of the proxy before it"},
    {"ClusterConfig", Code::kFailedPrecondition, "it is not known how to reach the cluster",
     "mend the kubeconfig, or name another: kubernetes.kubeconfig and kubernetes.context"},
    {"ClusterRefused", Code::kFailedPrecondition, "the cluster refused an object",
     "change what the message names"},
    {"ClusterUnreachable", Code::kUnavailable, "the cluster's API server does not answer",
     "check the server's address in the kubeconfig, the network and VPN, and the cluster itself"},
    {"ClusterUntrusted", Code::kPermissionDenied,
     "the certificate of the cluster's API server is not trusted",
     "put the cluster's certificate authority into the kubeconfig (certificate-authority-data)"},
    {"CrashLoopBackOff", Code::kFailedPrecondition, "the program ends again and again",
     "read the service's log; deploy an image whose program stays up"},
    {"CreateContainerConfigError", Code::kFailedPrecondition,
     "something the container needs is not there or not allowed",
     "make the Secret that the message names, or build the image with a user that is not root"},
    {"AutoscalerStuck", Code::kFailedPrecondition, "the autoscaler cannot scale the service",
     "change what the message names, or set num_replicas instead of autoscale_enabled"},
    {"ErrImageNeverPull", Code::kFailedPrecondition,
     "the node may not pull the image and does not have it",
     "find what sets the pods' imagePullPolicy to Never (an admission policy of the cluster)"},
    {"MetricsMissing", Code::kUnavailable,
     "the autoscaler does not get the CPU use of the service's pods",
     "install metrics-server in the cluster, or set num_replicas instead of autoscale_enabled"},
    {"NodeMismatch", Code::kFailedPrecondition,
     "no node matches the node selector or affinity of the service's pods",
     "label a node so (kubectl label node), or find what sets the selector (kubectl get pod -o "
     "yaml)"},
    {"NodeTainted", Code::kFailedPrecondition,
     "every node keeps the service's pods away by a taint",
     "add a node without that taint, or take it away (kubectl taint node NODE KEY-)"},
    {"VolumePending", Code::kUnavailable, "a volume of the service's pods is not there yet",
     "look at the claim and its storage class (kubectl describe pvc)"},
    {"Evicted", Code::kUnavailable, "the node ran short of memory or disk",
     "give the service requests that fit (memory_gb), or the cluster more room"},
    {"FieldConflict", Code::kFailedPrecondition,
     "somebody else holds fields of the object that Slipway sets",
     "give the fields up there (kubectl apply --server-side without them), or delete the object"},
    {"Forbidden", Code::kPermissionDenied, "the cluster's RBAC does not allow it",
     "ask the cluster's administrator for a role that allows it"},
    {"ImageNotPushed", Code::kFailedPrecondition, "the cluster cannot get the image",
     "push it to a registry that the cluster reaches: slipway image push NAME:VERSION REFERENCE"},
    {"ImagePullBackOff", Code::kFailedPrecondition, "the node cannot pull the image",
     "push the image to that registry, or give the login: image_registry or "
     "kubernetes.image_pull_secret"},
    {"InvalidImageName", Code::kInvalidArgument, "the image's reference is not valid",
     "push the image again under a reference of lower-case letters and digits"},
    {"LivenessFailed", Code::kFailedPrecondition,
     "the program does not answer the liveness probe and is killed",
     "give it more cpu_cores, or a longer timeout_seconds and initial_delay_seconds"},
    {"LoadBalancerPending", Code::kUnavailable, "the load balancer has no address yet",
     "wait; a cluster without a cloud needs kubernetes.service_type NodePort or ClusterIP"},
    {"NameTaken", Code::kAlreadyExists, "another owner has an object of that name",
     "choose another service name or namespace, or delete that object"},
    {"NamespaceMissing", Code::kNotFound, "there is no such namespace",
     "make it (kubectl create namespace NAME), or name another: kubernetes.namespace"},
    {"PodFailed", Code::kUnavailable, "the cluster ended a pod", "read the message"},
    {"PodsRefused", Code::kFailedPrecondition, "the cluster makes no pods for the service",
     "change what the message names"},
    {"ProbeFailed", Code::kDeadlineExceeded, "a probe of the program fails",
     "read the service's log, or wait longer"},
    {"ProgressDeadlineExceeded", Code::kDeadlineExceeded, "the new revision was not ready in time",
     "read the service's log and the events of its pods"},
    {"QuotaExceeded", Code::kResourceExhausted, "the namespace's quota is used up",
     "ask for less (cpu_cores, memory_gb, num_replicas), or for a larger quota"},
    {"RunContainerError", Code::kFailedPrecondition, "the program cannot be started",
     "build the image again for the machine that is to run it"},
    {"SandboxFailed", Code::kUnavailable, "the node cannot set up the pod",
     "look at the node's network plugin and its events"},
    {"Unauthorized", Code::kPermissionDenied, "the cluster does not accept the credentials",
     "log in to the cluster again; a token in the kubeconfig may have expired"},
    {"Unschedulable", Code::kResourceExhausted, "no node has room for the service",
     "ask for less (cpu_cores, memory_gb, gpu_cores), or give the cluster another node"},
    {"VolumeFailed", Code::kUnavailable, "the node cannot mount a volume of the pod",
     "make the Secret that the message names, or look at the node"},
    {"WrongArchitecture", Code::kFailedPrecondition,
     "the image is for another kind of processor than the engine's machine",
     "build the image for that machine, or deploy it elsewhere"},
    {"WrongAnswers", Code::kFailedPrecondition,
     "the model does not reproduce the golden samples beside it",
     "compare with `slipway model test DIR`; register the model with samples of its own"},
};

}  // namespace

std::span<const Cause> Causes() { return kCauses; }

const Cause& CauseOf(std::string_view code) {
  for (const Cause& cause : kCauses) {
    if (cause.code == code) return cause;
  }
  return kCauses[0];
}

StartFailure WhyNotStarted(std::string_view log) {
  constexpr std::string_view kMark = "cause=Script.";
  if (log.find(kMark) != std::string_view::npos) {
    return {.cause = "ScriptInvalid",
            .detail = "the program could not start its scoring script (exit status 3)"};
  }
  return {.cause = "ModelInvalid",
          .detail = "the program could not load its model (exit status 3)"};
}

bool IsStartFailure(std::string_view cause) {
  return cause == "ModelInvalid" || cause == "ScriptInvalid";
}

void CorrectStartFailure(std::string_view log, std::string& cause, std::string& detail) {
  if (!IsStartFailure(cause)) return;
  StartFailure failure = WhyNotStarted(log);
  cause = std::move(failure.cause);
  detail = std::move(failure.detail);
}

Error CauseError(std::string_view code, std::string message) {
  const Cause& cause = CauseOf(code);
  return {.code = cause.kind,
          .message = std::move(message),
          .id = "Service." + std::string(cause.code),
          .fix = std::string(cause.fix)};
}

}  // namespace slipway::deployer
