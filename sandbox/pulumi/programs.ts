import { fileURLToPath } from "node:url";
import type { GoProgram } from "../build/build.ts";
import { moduleVersion } from "../build/goMod.ts";

const folder = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const commonModule = folder("engine");

/** Versions of the plugins. They are those of the packages that package.json pins. */
export const pluginVersions = { kubernetes: "4.25.0", tls: "5.6.1" } as const;

/**
 * The Pulumi CLI, language hosts for Node.js and Go, and a stand-in for the tls plugin. Pulumi's own ones are not available as Go modules.
 */
export const cliProgram: GoProgram = {
  name: "pulumi",
  title: "the Pulumi CLI",
  source: folder("cli"),
  modules: [commonModule],
  packages: [
    "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    "k8sauth/sandbox/pulumi/cli/pulumi-language-go",
    "k8sauth/sandbox/pulumi/cli/pulumi-language-nodejs",
    "k8sauth/sandbox/pulumi/cli/pulumi-resource-tls",
  ],
  variables: (goMod) => {
    const version = moduleVersion(goMod, "github.com/pulumi/pulumi/sdk/v3").slice(1);
    return { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": version };
  },
};

/** Pulumi's Kubernetes plugin. It requires older modules than the CLI, so it is a separate program. */
export const kubernetesPluginProgram: GoProgram = {
  name: "pulumi-resource-kubernetes",
  title: "Pulumi's Kubernetes plugin",
  source: folder("kubernetes"),
  modules: [commonModule],
  variables: () => ({
    "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version": pluginVersions.kubernetes,
  }),
};
