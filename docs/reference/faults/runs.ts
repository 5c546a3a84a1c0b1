import type { Section } from "./fault.ts";

const crash = "cluster/faults/crash.test.ts";
const cancel = "cluster/faults/cancel.test.ts";
const lost = "cluster/faults/lost.test.ts";
const flow = "cluster/token/flow.test.ts";
const drift = "cluster/faults/drift.test.ts";
const sandbox = "cluster/sandbox.test.ts";
const oldServer = "cluster/cluster/oldServer.test.ts";
const orphans = "cluster/faults/crashOrphans.test.ts";

export const runs: Section = {
  title: "Runs of Pulumi, the state and other stacks",
  faults: [
    {
      fault: "Nothing changed",
      behaviour: "A second `up`, a preview and a refresh change nothing.",
      tests: [
        [flow, "a second up changes nothing, in the cluster or in the state"],
        [flow, "a refresh after an up finds no difference, and neither does the preview after it"],
      ],
    },
    {
      fault: "The CLI, the plugin or the program is killed during an `up`",
      behaviour: "`pulumi cancel`, `up` and `refresh` finish it, and no credential is created twice.",
      tests: [[crash, "cancel, up and refresh finish an up that was killed, and no credential is created twice:"]],
    },
    {
      fault: "The state has pending operations after a kill",
      behaviour: "`refresh --clear-pending-creates` clears them, and an object with a fixed name is detected.",
      tests: [[orphans, "is found again under its fixed name: %s"]],
    },
    {
      fault: "A killed run leaves an object with a generated name",
      behaviour: "`k8sauth check` names it.",
      tests: [
        [orphans, "is an orphan under its generated name, and check names it: %s"],
        [
          cancel,
          "a run whose creation is never answered ends at Ctrl-C, the next up finishes, and check names the orphan",
        ],
      ],
    },
    {
      fault: "A replacement is killed in the middle",
      behaviour: "The next run finishes it, and a working credential exists at any time.",
      tests: [
        [crash, "cancel, up and refresh finish a replacement that was killed"],
        [crash, "also if the old object had to be deleted first, and the new one was created under its name"],
      ],
    },
    {
      fault: "A destroy is killed",
      behaviour: "`pulumi cancel` and `destroy` finish it.",
      tests: [[orphans, "that was killed at write %i is finished by cancel and destroy"]],
    },
    {
      fault: "The engine dies",
      behaviour: "Every process of the run ends within 2 s.",
      tests: [[crash, "every process of a run ends within 2 s of the death of its engine"]],
    },
    {
      fault: "Ctrl-C during a wait",
      behaviour: "The wait ends within 2 s, the state is saved, and the lock is gone.",
      tests: [
        [cancel, "an interrupted wait ends at once, with the state saved and the lock gone, and the next up finishes"],
        ["cluster/token/waiting.test.ts", "cancel ends the wait within 2 s"],
      ],
    },
    {
      fault: "A second Ctrl-C",
      behaviour: "The command and everything that it started end at once.",
      tests: [[cancel, "ends the command at once, and everything that it started"]],
    },
    {
      fault: "The cluster cannot be reached in a preview",
      behaviour: "A new stack is previewed with unknowns; a stack that exists fails, or warns with `offline: warn`.",
      tests: [
        ["cluster/token/preview.test.ts", "of a new stack shows what would be created, and what is not known yet"],
        [
          "cluster/token/preview.test.ts",
          "of a stack that exists fails; with `offline: warn` it shows no change that is none. It leaves the state alone",
        ],
        ["cluster/faults/alarm.test.ts", "a cluster that cannot be reached"],
      ],
    },
    {
      fault: "A credential is no longer valid, or its binding or role was deleted",
      behaviour: "A preview without options shows a change, and `up --refresh` replaces or restores it.",
      tests: [
        ["cluster/faults/alarm.test.ts", "is a change of the preview; up says what heals it, and up --refresh does"],
        [drift, "is reported by preview --refresh, which fails and changes nothing; up --refresh heals it"],
      ],
    },
    {
      fault: "The cluster cannot be read by the drift job",
      behaviour: "The job fails with another status than for drift.",
      tests: [
        [drift, "a cluster that can't be read is a failure of the preview, and no drift"],
        ["cluster/examples/driftJob.test.ts", "ends with another status if the run fails"],
      ],
    },
    {
      fault: "A binding, a role, a Secret or a namespace that is not the stack's has the name",
      behaviour: "The run fails before it creates anything, and the object stays as it is.",
      tests: [
        ["cluster/cluster/fixedNames.test.ts", "an object that has the name which a stack asks for"],
        ["cluster/cluster/resource.test.ts", "a binding that exists is refused with the role that it has"],
      ],
    },
    {
      fault: "A name that is too long, in capitals, or used twice in one stack",
      behaviour: "The preview refuses it.",
      tests: [
        ["unit/stack/settings.test.ts", "a wrong setting is refused with its name and the accepted values:"],
        ["cluster/cluster/fixedNames.test.ts", "two resources of one stack do not share an object"],
        [
          "unit/properties/names.test.ts",
          "the name of a token Secret has room for every epoch, and is one that the API server accepts",
        ],
      ],
    },
    {
      fault: "Any text in any setting",
      behaviour: "One error names every setting that is wrong, and shows no secret.",
      tests: [
        ["unit/properties/settings.test.ts", "no text in any setting is more than an error that names settings"],
        [
          "unit/properties/settings.test.ts",
          "a secret is in no message, whatever is wrong with it and with the other settings",
        ],
      ],
    },
    {
      fault: "The namespace is missing or is being deleted",
      behaviour: "The run fails before it creates anything, and says which of the two it is.",
      tests: [
        ["cluster/cluster/preflightObjects.test.ts", "and that does not exist is named before anything is created"],
        [
          "cluster/cluster/preflightObjects.test.ts",
          "and that is being deleted is refused as such, for every deployer",
        ],
      ],
    },
    {
      fault: "Two stacks share a cluster",
      behaviour: "They have different names, and a destroyed one leaves nothing.",
      tests: [
        [
          "cluster/token/stacks.test.ts",
          "two stacks in one cluster do not touch each other, and a destroyed one leaves nothing",
        ],
      ],
    },
    {
      fault: "A user destroys a protected stack, or makes a change that would replace its reviewer",
      behaviour: "Pulumi refuses it, and nothing is deleted.",
      tests: [
        ["cluster/protection.test.ts", "refuses a change that would delete or replace its reviewer"],
        [
          "cluster/protection.test.ts",
          "a destroy%s is refused, says what to do, and deletes nothing; turned off, it deletes all",
        ],
      ],
    },
    {
      fault: "An object is gone before the destroy",
      behaviour: "The destroy succeeds.",
      tests: [[lost, "a destroy of objects that are gone already succeeds"]],
    },
    {
      fault: "The cluster is gone before the destroy",
      behaviour:
        "The destroy fails, unless `PULUMI_K8S_DELETE_UNREACHABLE=true` removes the objects from the state only.",
      tests: [[lost, "a destroy without the cluster fails, and forgets the objects if that is asked for"]],
    },
    {
      fault: "The passphrase of the state is wrong",
      behaviour: "The run fails before it reaches the cluster.",
      tests: [[lost, "a wrong passphrase fails the run before the cluster is asked for anything"]],
    },
    {
      fault: "There is no home folder, or it cannot be written",
      behaviour: "The error names the folder and what to set.",
      tests: [
        ["unit/sandbox/options.test.ts", "without HOME, the error names the variables to set"],
        ["unit/sandbox/pulumi.test.ts", "is refused with a remedy if it cannot be written"],
      ],
    },
    {
      fault: "The disk is full when Pulumi saves the state",
      behaviour: "The run fails. After space is freed, `pulumi cancel`, `up` and `refresh` finish it.",
      tests: [],
      gap: "Pulumi's CLI writes the state. For the stack this is like a kill, which the tests above do at every write.",
    },
    {
      fault: "Another version of Kubernetes",
      behaviour: "Each run on a server older than 1.34 logs a warning with the known [differences](versions.md).",
      tests: [
        [sandbox, "runs the version of Kubernetes that is asked for, else the default, and says so"],
        [oldServer, "is warned of when it is first seen, and on each later preview, up and refresh"],
        [oldServer, "is warned of once by an update, whose diff said it already"],
      ],
      gap: "`npm test` runs the default version, `npm run test:versions` the others. Where older servers answer in another way, their answers are emulated.",
    },
    {
      fault: "Node.js is missing or too old",
      behaviour: "Preview, plugin and policy pack name the needed version.",
      tests: [
        ["process/provider/lifecycle.test.ts", "says clearly when Node.js is too old"],
        ["process/provider/lifecycle.test.ts", "says clearly when there is no Node.js"],
        ["pulumi/program.test.ts", "a preview says which one is needed, and nothing about file extensions"],
      ],
    },
    {
      fault: "A policy is violated, or the policy pack itself breaks",
      behaviour: "Nothing is created, and the message says why.",
      tests: [
        ["cluster/policy.test.ts", "a stack that breaks a mandatory policy is stopped before anything is created"],
        ["cluster/policy.test.ts", "with a pack that breaks, an up creates nothing, says why, and leaves no process"],
      ],
    },
    {
      fault: "A stack of a fleet hangs, fails or is interrupted",
      behaviour: "The other stacks continue, and the next run finishes that stack.",
      tests: [
        [
          "cluster/examples/fleet.test.ts",
          "a stack that exceeds the time limit is stopped and unlocked, and the next run finishes it",
        ],
        [
          "cluster/examples/fleet.test.ts",
          "an interrupted run stops its stacks, starts no other, and the next run finishes them",
        ],
      ],
    },
    {
      fault: "Another user reads output at every level, errors, state and process lists",
      behaviour: "No secret is in them, except encrypted.",
      tests: [
        ["cluster/faults/canary.test.ts", "no secret is seen"],
        [
          "cluster/faults/canary.test.ts",
          "no secret is seen in state, output, diffs, command lines or environments, whatever is run",
        ],
      ],
    },
  ],
};
