import type { ProviderErrorCode } from "../../../../provider/protocol/errors.ts";
import type { ErrorText } from "../text.ts";

export const certificate = {
  CSR_MALFORMED: {
    meaning: "The certificate request is not one PEM block of a PKCS #10 request, or a part of it cannot be read.",
    remedy: "Set `certificateRequest` to the PEM text of one request, as `openssl req -new` writes it.",
  },
  CSR_SIGNATURE_INVALID: {
    meaning:
      "The signature of the certificate request does not verify with the request's key, or its algorithm is weak or unknown.",
    remedy: "Create the request again, with SHA-256, SHA-384 or SHA-512 and RSA or ECDSA, or with Ed25519.",
  },
  CSR_KEY_WEAK: {
    meaning: "The key of the certificate request is too short, or of a kind that is not supported.",
    remedy: "Create the request with RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519.",
  },
  CSR_SUBJECT_REFUSED: {
    meaning:
      "The subject of the certificate request is not accepted: a name is missing, too long, begins with `system:` or has invisible characters. Or its common name is not `certificateCommonName`.",
    remedy: "Create the request with a common name of 1 to 64 bytes, and set `certificateCommonName` to it.",
  },
  CSR_EXTENSION_REFUSED: {
    meaning: "The certificate request asks for a CA certificate or for subject alternative names.",
    remedy: "Create the request without them. The common name is the user, organizations are the groups.",
  },
  PRIVATE_KEY_MALFORMED: {
    meaning: "The private key is encrypted or cannot be read.",
    remedy: "Set `certificateKey` to a private key in PEM (PKCS #8, PKCS #1 or SEC 1) without a passphrase.",
  },
  PRIVATE_KEY_OTHER: {
    meaning: "The private key does not belong to the certificate request.",
    remedy: "Set `certificateKey` to the key of the request, or remove it. Without it the certificate is not proved.",
  },
  CERTIFICATE_NO_SIGNER: {
    meaning: "The cluster is EKS, which signs no client certificates.",
    remedy:
      "Set `tokenFlow` to `true` and `certificateFlow` to `false`. A program with its own signer passes `signerName` to `SignedCertificate`.",
  },
  CERTIFICATE_NAME_TAKEN: {
    meaning:
      "A CertificateSigningRequest with this name exists and does not have the stack's content. It was not approved.",
    remedy: "Find out who created it. Then delete it with `kubectl delete csr NAME` and run `pulumi up` again.",
  },
  CERTIFICATE_REQUEST_OTHER: {
    meaning: "The CertificateSigningRequest in the cluster differs from the one that was sent. It was not approved.",
    remedy: "Find the webhook or controller that changes such objects. The cluster's audit log names it.",
  },
  CERTIFICATE_REQUEST_GONE: {
    meaning: "The CertificateSigningRequest was deleted several times before it had a certificate.",
    remedy: "Find what deletes such objects. The cluster's audit log names it.",
  },
  CERTIFICATE_MAY_NOT_APPROVE: {
    meaning: "The deployer lacks the rights to approve the CertificateSigningRequest.",
    remedy:
      "Grant `update` on `certificatesigningrequests/approval` and `approve` on the signer. Or set `certificateApproval` to `external` and have another user approve.",
  },
  CERTIFICATE_APPROVAL_CONFLICT: {
    meaning: "Each attempt to approve the CertificateSigningRequest met a conflict, until the time limit.",
    remedy: "Find the controller that keeps changing such objects, then run `pulumi up` again.",
  },
  CERTIFICATE_NOT_APPROVED: {
    meaning:
      "The CertificateSigningRequest was not approved in time. With `certificateApproval: external` another user must approve it.",
    remedy:
      "Have it approved (`kubectl certificate approve NAME`) within 24 hours, and run `pulumi up` again within an hour of the approval. It continues with the same request, which Kubernetes deletes an hour after its approval: a nightly run comes too late.",
  },
  CERTIFICATE_DENIED: {
    meaning: "An approver denied the CertificateSigningRequest.",
    remedy:
      "Ask the approver for the reason. To ask again, delete the request with `kubectl delete csr NAME` and run `pulumi up`.",
  },
  CERTIFICATE_FAILED: {
    meaning: "The signer refused the CertificateSigningRequest after its approval.",
    remedy: "Correct what the message names: usages, subject or lifetime. The next `pulumi up` creates a new request.",
  },
  CERTIFICATE_NOT_ISSUED: {
    meaning: "The CertificateSigningRequest was approved, and the signer issued no certificate in time.",
    remedy:
      "Check that kube-controller-manager runs with `--cluster-signing-cert-file` and `--cluster-signing-key-file`, and read its log. Managed clusters without these need the token flow.",
  },
  CERTIFICATE_REJECTED: {
    meaning:
      "The certificate that the signer issued is not what was requested: its key, subject, usages, dates or chain differ. It was discarded.",
    remedy: "Check the signer, and webhooks that change CertificateSigningRequests. Then run `pulumi up` again.",
  },
  CERTIFICATE_REFUSED: {
    meaning:
      "The API server does not accept the new certificate at the gateway's address, or identifies its holder as another user.",
    remedy:
      "Use a host that passes TLS through to the API server: load balancers, proxies and Rancher drop client certificates. Check that `--client-ca-file` of the API server holds the CA of the signer, and the clocks.",
  },
  CERTIFICATE_MAY_NOT_REVIEW: {
    meaning: "The API server accepts the certificate, but its user lacks the right to create TokenReviews.",
    remedy:
      "If its ClusterRole or binding was deleted or edited, run `pulumi up --refresh`. Otherwise bind the user to a ClusterRole that grants `create` on `tokenreviews.authentication.k8s.io`.",
  },
  CERTIFICATE_READS_SECRETS: {
    meaning:
      "The new certificate of a reviewer may list the Secrets of the whole cluster: its user or one of its groups has further bindings, such as one to `cluster-admin`. It was discarded.",
    remedy: "Choose another common name and organization, or remove these bindings.",
  },
  CERTIFICATE_NOT_IMPORTABLE: {
    meaning: "`pulumi import` cannot import a `SignedCertificate`. Its certificate is signed when it is created.",
    remedy: "Declare the resource in the program and run `pulumi up`.",
  },
} satisfies Partial<Record<ProviderErrorCode, ErrorText>>;
