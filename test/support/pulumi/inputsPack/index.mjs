import { PolicyPack } from "@pulumi/policy";

const components = [
  "k8sauth:index:TokenReviewer",
  "k8sauth:index:ClientCertificate",
  "k8sauth:index:BearerTokenUser",
  "k8sauth:index:Verifier",
];

new PolicyPack("inputs", {
  policies: [
    {
      name: "component-inputs",
      description: "Reports the names and plain values of a component's inputs.",
      enforcementLevel: "advisory",
      validateResource: ({ type, props }, reportViolation) => {
        if (components.includes(type)) reportViolation(JSON.stringify(props));
      },
    },
  ],
});
