/** The fields of pods and workloads that the rules read. */
import { kindOf, type ObjectMeta } from "./kubernetes.ts";

export interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly readOnlyRootFilesystem?: boolean;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
}

export interface Container {
  readonly name?: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name?: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly securityContext?: SecurityContext;
}

export interface PodSpec {
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext?: SecurityContext;
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly ephemeralContainers?: readonly Container[];
}

export interface PodTemplate {
  readonly metadata?: ObjectMeta;
  readonly spec?: PodSpec;
}

/** By kind, the path from a workload to its pod template. */
const templates: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  ReplicationController: ["spec", "template"],
  Deployment: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** Whether objects of this type are pods or create pods. */
export function isWorkload(type: string): boolean {
  const found = kindOf(type);
  return found !== undefined && ["", "apps", "batch"].includes(found.group) && found.kind in templates;
}

/** The pod template of a workload. */
export function podOf(type: string, props: Readonly<Record<string, unknown>>): PodTemplate {
  let value: unknown = props;
  for (const key of templates[kindOf(type)?.kind ?? ""] ?? []) {
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  }
  return (value ?? {}) as PodTemplate;
}

/** The lists of a pod's containers. They are functions, so that an unknown list does not hide another one. */
export function containerLists(pod: PodTemplate): readonly (() => readonly Container[] | undefined)[] {
  return [() => pod.spec?.containers, () => pod.spec?.initContainers, () => pod.spec?.ephemeralContainers];
}
