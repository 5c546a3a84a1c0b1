import type { SandboxErrorCode } from "../../../sandbox/build/errors.ts";
import type { ErrorText } from "./text.ts";

export const command: Readonly<Record<SandboxErrorCode, ErrorText>> = {
  SANDBOX_NAME_INVALID: {
    meaning: "The name of the sandbox has a form that is not accepted. Exit status 2.",
    remedy: "Use 1 to 40 lower-case letters, digits and dashes, with no dash at the start or end.",
  },
  SANDBOX_OPTION_INVALID: {
    meaning: "An issuer, an audience, a version of Kubernetes or `K8SAUTH_PULUMI` has a value that is not accepted.",
    remedy: "Correct the value that the message names.",
  },
  SANDBOX_NO_HOME: {
    meaning: "There is no folder for the sandbox's files: neither `HOME` nor the XDG variable is an absolute path.",
    remedy: "Set `HOME`, or `XDG_CACHE_HOME` and `XDG_STATE_HOME`.",
  },
  SANDBOX_PLATFORM: {
    meaning: "The sandbox cannot run on this operating system, or the loopback interface gives it no port.",
    remedy: "On Windows, run it in WSL. Otherwise check that the loopback interface is up, or use your own cluster.",
  },
  SANDBOX_STORAGE: {
    meaning: "A file of the sandbox cannot be read or written.",
    remedy:
      "Check that the folder in the message is yours and can be written, or set `XDG_CACHE_HOME` and `XDG_STATE_HOME` to other folders.",
  },
  SANDBOX_BUSY: {
    meaning: "Another process holds the lock for the same build or sandbox, and did not release it in time.",
    remedy: "Wait until that process ends, or end it. Then try again.",
  },
  SANDBOX_DIFFERENT: {
    meaning: "A sandbox of this name runs with other options.",
    remedy: "Stop it with `k8sauth sandbox stop`, or start another one with `--name`.",
  },
  SANDBOX_NOT_RUNNING: {
    meaning: "The command needs a sandbox that runs, and it does not run.",
    remedy: "Start it with `k8sauth sandbox start`.",
  },
  SANDBOX_COMPONENT_UNKNOWN: {
    meaning: "A program named a component that a sandbox does not have.",
    remedy: "Use a component that the message lists.",
  },
  SANDBOX_COMPONENT_ENDED: {
    meaning: "A process of the sandbox ended while it was needed. The message has the end of its log.",
    remedy: "Correct what the log names. Then stop the sandbox and start it again.",
  },
  SANDBOX_TIMEOUT: {
    meaning: "The sandbox, or a part of it, did not start or stop in time.",
    remedy:
      "Check that the machine has free memory (0.5 GB, with a node 1 GB) and is not overloaded. Then stop the sandbox and start it again.",
  },
  SANDBOX_ABORTED: {
    meaning: "The user cancelled the command.",
    remedy: "Run it again. A build continues from where it was.",
  },
  SANDBOX_GO_MISSING: {
    meaning: "There is no `go` on the PATH, which builds the sandbox and the Pulumi CLI.",
    remedy: "Install Go 1.26 or later.",
  },
  SANDBOX_GO_TOO_OLD: {
    meaning: "The `go` on the PATH is older than 1.26 and cannot download a newer one.",
    remedy: "Install Go 1.26 or later, or allow the download (`GOTOOLCHAIN=auto`).",
  },
  SANDBOX_DOWNLOAD_FAILED: {
    meaning: "A Go module could not be downloaded, or has another checksum than `go.sum`.",
    remedy:
      "Check the network, or set `GOPROXY` to a module proxy that this machine can reach. For a checksum, ask the owner of that proxy.",
  },
  SANDBOX_DISK_FULL: {
    meaning: "The disk is full.",
    remedy:
      "Free space: the build needs about 4 GB in the caches of Go (`GOMODCACHE`, `GOCACHE`) and the temporary folder. Then try again.",
  },
  SANDBOX_BUILD_FAILED: {
    meaning: "The build failed for another reason. The message has the last lines of Go.",
    remedy: "Correct what they name. The build needs about 2 GB of free memory.",
  },
  SANDBOX_NODE_UNSUPPORTED: {
    meaning:
      "This machine cannot run a sandbox with a node: it needs Linux, root, cgroups that can be written, and Debian packages.",
    remedy:
      "As root on Debian, run `apt-get install containerd runc containernetworking-plugins nftables conntrack`. Or start the sandbox without a node.",
  },
  SANDBOX_IMAGE_FAILED: {
    meaning: "An image could not be imported into the sandbox's node.",
    remedy: "Check the files of the image, and that the sandbox runs.",
  },
  PULUMI_TOO_OLD: {
    meaning: "The `pulumi` on the PATH is older than the oldest version that works.",
    remedy: "Upgrade it, or set `K8SAUTH_PULUMI=build` to build a newer one from Go modules.",
  },
  PULUMI_UNUSABLE: {
    meaning: "The `pulumi` on the PATH does not run.",
    remedy: "Repair the installation, or set `K8SAUTH_PULUMI=build` to build the CLI from Go modules.",
  },
  PULUMI_NO_NODE_HOST: {
    meaning: "The installed Pulumi has no `pulumi-language-nodejs`, which runs programs in TypeScript.",
    remedy: "Install the whole of [Pulumi](https://www.pulumi.com/docs/install/), or set `K8SAUTH_PULUMI=build`.",
  },
  PULUMI_PLUGIN_MISSING: {
    meaning: "Pulumi could not download a plugin that the program needs.",
    remedy:
      "Connect to the network, install the plugin from a file (`pulumi plugin install resource NAME VERSION --file FILE`), or set `K8SAUTH_PULUMI=build`.",
  },
  PULUMI_PASSPHRASE_MISSING: {
    meaning: "There are stacks, but the file with their generated passphrase is missing, and no passphrase is set.",
    remedy:
      "Restore the file, or set `PULUMI_CONFIG_PASSPHRASE`. Without the passphrase, the secrets of these stacks cannot be decrypted: see [state](state.md).",
  },
};
