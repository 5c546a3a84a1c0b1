/** Security contexts and tokens of pods. */
import type { Policies } from "@pulumi/policy";
import { isServiceAccount, matches } from "../kubernetes.ts";
import { type Container, containerLists, isWorkload, podOf } from "../pods.ts";
import { either, resourceRule } from "../rule.ts";
import { all, each } from "../unknowns.ts";

const standards = "https://kubernetes.io/docs/concepts/security/pod-security-standards/";

const runsAsNonRoot = resourceRule({
  name: "workload-non-root",
  level: "mandatory",
  severity: "high",
  description: "Containers do not run as root.",
  reason: "With one defect of the kernel or of the container runtime, root in a container becomes root on the node.",
  remedy: "Set runAsNonRoot: true in the pod's or the container's securityContext, and no runAsUser 0.",
  url: standards,
  tags: ["workload", "cis-5.2.7"],
  appliesTo: isWorkload,
  check: ({ type, props }, report) => {
    const pod = podOf(type, props);
    eachContainer(pod, (container) => {
      const own = container.securityContext?.runAsNonRoot;
      const nonRoot = own ?? pod.spec?.securityContext?.runAsNonRoot;
      const user = container.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser;
      if (nonRoot !== true || user === 0) report(`The container ${container.name} may run as root.`);
    });
  },
});

const readOnlyRoot = resourceRule({
  name: "workload-read-only-root",
  level: "mandatory",
  severity: "medium",
  description: "Containers can't write to their image's file system.",
  reason: "An attacker in the container can't replace files that can't be written.",
  remedy:
    "Set readOnlyRootFilesystem: true in the container's securityContext; mount an emptyDir for what must be written.",
  url: standards,
  tags: ["workload"],
  appliesTo: isWorkload,
  check: ({ type, props }, report) =>
    eachContainer(podOf(type, props), ({ name, securityContext }) => {
      if (securityContext?.readOnlyRootFilesystem !== true) report(`The container ${name} can write to its root.`);
    }),
});

const noPrivileges = resourceRule({
  name: "workload-no-privileges",
  level: "mandatory",
  severity: "high",
  description: "Containers gain no privileges.",
  reason: "A privileged container is root on the node, and escalation undoes every other limit.",
  remedy: "Set allowPrivilegeEscalation: false in the container's securityContext, and not privileged.",
  url: standards,
  tags: ["workload", "cis-5.2.2", "cis-5.2.6"],
  appliesTo: isWorkload,
  check: ({ type, props }, report) =>
    eachContainer(podOf(type, props), ({ name, securityContext }) => {
      if (securityContext?.privileged === true) report(`The container ${name} is privileged.`);
      else if (securityContext?.allowPrivilegeEscalation !== false)
        report(`The container ${name} may gain privileges.`);
    }),
});

const noMountedToken = resourceRule({
  name: "no-automounted-token",
  level: "mandatory",
  severity: "high",
  description: "No ServiceAccount token is mounted by default.",
  reason:
    "The token that is mounted by default is valid at the API server for an hour or longer, and few pods need it.",
  remedy: "Set automountServiceAccountToken: false, and project a token for an audience where one is needed.",
  url: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#opt-out-of-api-credential-automounting",
  tags: ["workload", "token", "cis-5.1.6"],
  appliesTo: either(isWorkload, isServiceAccount),
  check: ({ type, props }, report) => {
    const spec = isServiceAccount(type)
      ? (props as { automountServiceAccountToken?: boolean })
      : podOf(type, props).spec;
    if (spec?.automountServiceAccountToken !== false) report("It has a token mounted by default.");
  },
});

/**
 * The default image of k8sauth's verifier: Google's distroless Node.js. It has a tag and no digest, because a digest in a program does not
 * follow the security fixes of Node.js, and only a registry knows the current digest. Therefore `default-image-pinned` only warns about the
 * default. `image-pinned` refuses every other image without a digest: the user who chose the image can choose its digest too.
 */
const defaultImages = ["gcr.io/distroless/nodejs24-debian13:nonroot"];

const pinning = {
  severity: "medium",
  reason: "A tag can be moved to another image, which was not audited.",
  remedy:
    "Add @sha256:DIGEST to the image (to k8sauth:verifierImage for the verifier's); `crane digest IMAGE` prints the current one.",
  url: "https://kubernetes.io/docs/concepts/containers/images/#image-names",
  tags: ["workload", "image"],
  appliesTo: isWorkload,
} as const;

const pinnedImage = resourceRule<{ exempt: readonly string[] }>({
  ...pinning,
  name: "image-pinned",
  level: "mandatory",
  description: "Images are pinned by digest.",
  settings: {
    exempt: {
      type: "array",
      description: "Images that need no digest, with * for anything, such as images that come from no registry.",
      default: defaultImages,
    },
  },
  check: ({ type, props }, report, { exempt }) =>
    eachContainer(podOf(type, props), ({ name, image = "" }) => {
      if (isPinned(image) || matches(image, exempt)) return;
      report(image ? `The container ${name} runs the image ${image}.` : `The container ${name} names no image.`);
    }),
});

const pinnedDefaultImage = resourceRule({
  ...pinning,
  name: "default-image-pinned",
  level: "advisory",
  description: "The verifier's default image is pinned by digest.",
  check: ({ type, props }, report) =>
    eachContainer(podOf(type, props), ({ name, image = "" }) => {
      if (defaultImages.includes(image)) report(`The container ${name} runs the default image ${image}.`);
    }),
});

function isPinned(image: string): boolean {
  return /@sha256:[0-9a-f]{64}$/.test(image);
}

function eachContainer(pod: ReturnType<typeof podOf>, check: (container: Container) => void): void {
  all(...containerLists(pod).map((list) => () => each(list(), check)));
}

export const workloadRules: Policies = [
  runsAsNonRoot,
  readOnlyRoot,
  noPrivileges,
  noMountedToken,
  pinnedImage,
  pinnedDefaultImage,
];
