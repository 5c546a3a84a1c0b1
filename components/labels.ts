import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** The full name of a stack. */
export interface StackName {
  readonly organization: string;
  readonly project: string;
  readonly stack: string;
}

/** Longest value of a label (Kubernetes, "Labels and Selectors"). */
const maxLength = 63;
const hashLength = 10;

/**
 * Labels that name the stack of an object. A stack's name can be too long for a label, or have characters that a label refuses. The value is
 * therefore a shortened name with a hash of organization, project and stack, which makes it unique.
 */
export function stackLabels({ organization, project, stack }: StackName): Record<string, string> {
  const hash = createHash("sha256").update(`${organization}/${project}/${stack}`).digest("hex").slice(0, hashLength);
  const readable = stack
    .replaceAll(/[^A-Za-z0-9_.-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, maxLength - hashLength - 1);
  return {
    "app.kubernetes.io/managed-by": "k8sauth",
    "k8sauth.dev/stack": readable === "" ? hash : `${readable}-${hash}`,
  };
}

/** Options of a component that add the labels of the stack to all its Kubernetes objects. */
export function labelled(
  opts: pulumi.ComponentResourceOptions = {},
  stack: StackName = currentStack(),
): pulumi.ComponentResourceOptions {
  const labels = stackLabels(stack);
  const transformation: pulumi.ResourceTransformation = ({ type, props, opts }) =>
    type.startsWith("kubernetes:") ? { props: withLabels(props, labels), opts } : undefined;
  return { ...opts, transformations: [...(opts.transformations ?? []), transformation] };
}

function currentStack(): StackName {
  return { organization: pulumi.getOrganization(), project: pulumi.getProject(), stack: pulumi.getStack() };
}

/** A manifest with the labels of the stack. */
export function withStackLabels<Manifest extends { readonly metadata: object }>(
  manifest: Manifest,
  stack: StackName = currentStack(),
): Manifest {
  return withLabels(manifest, stackLabels(stack)) as Manifest;
}

function withLabels(props: { readonly metadata?: { readonly labels?: object } }, labels: Record<string, string>) {
  const { metadata = {} } = props;
  return { ...props, metadata: { ...metadata, labels: { ...metadata.labels, ...labels } } };
}
