import { PolicyPack } from "@pulumi/policy";

new PolicyPack("late", {
  policies: [
    {
      name: "no-token-by-uid",
      description: "No token belongs to an account whose UID is known.",
      enforcementLevel: "mandatory",
      validateResource: ({ type, props }, reportViolation) => {
        if (type === "k8sauth:index:ReviewerToken" && props.serviceAccountUid.length > 0) reportViolation("It does.");
      },
    },
  ],
});
