import type { Section } from "./fault.ts";

const approval = "cluster/certificate/approval.test.ts";
const crash = "cluster/certificate/crash.test.ts";
const mismatch = "cluster/certificate/mismatch.test.ts";
const faults = "cluster/certificate/faults.test.ts";
const changes = "cluster/certificate/changes.test.ts";
const certificate = "cluster/certificate/resource.test.ts";

export const certificates: Section = {
  title: "Client certificates",
  faults: [
    {
      fault: "The request is not approved",
      behaviour: "The wait ends with an error, and the next run continues with the same request.",
      tests: [[approval, "that does not come ends with an error, and the next run goes on with the same request"]],
    },
    {
      fault: "The request is denied",
      behaviour: "The run fails at once with reason and message.",
      tests: [[approval, "that is denied fails at once with the reason, and again as long as the denial stands"]],
    },
    {
      fault: "The signer marks the request as failed",
      behaviour: "The run fails at once with the signer's reason, and the next run creates another request.",
      tests: [
        [certificate, "is not made where the signer refuses the usages: its own reason, and nothing stays"],
        [crash, "and was refused by the signer is replaced, for signers are mended"],
      ],
    },
    {
      fault: "The request is approved and no certificate comes",
      behaviour: "The wait ends with an error that names the signer.",
      tests: [[approval, "is an error that names the signer; the approved request does not stay"]],
    },
    {
      fault: "The cluster's signer issues no client certificates (EKS)",
      behaviour: "No request is sent, and the error proposes the token flow.",
      tests: [[mismatch, "EKS is recognised before anything is posted, and the token flow proposed"]],
      gap: "The version string of EKS is emulated.",
    },
    {
      fault: "409 on the approval",
      behaviour: "The request is read again, compared and approved; a conflict that persists has a separate error.",
      tests: [
        [faults, "a change by somebody else just before the approval, which is a real conflict"],
        [faults, "a conflict that does not end has its own error"],
      ],
    },
    {
      fault: "403 on the approval",
      behaviour: "The error names verb, resource and signer, and no request stays.",
      tests: [[certificate, "of a deployer without enough rights names them, and leaves nothing"]],
    },
    {
      fault: "A request with this name exists and has other content or is of another user",
      behaviour: "The run fails, and that request is neither approved nor touched.",
      tests: [
        [certificate, "by somebody else's for other content is refused, and neither approved nor touched"],
        [certificate, "by the same content of another user is refused as well"],
      ],
    },
    {
      fault: "The server's copy of the request differs from what was posted",
      behaviour: "It is not approved.",
      tests: [[mismatch, "a server's copy that is not what was posted is never approved"]],
    },
    {
      fault: "The request is replaced by another object while the run waits",
      behaviour: "The run detects another UID and fails.",
      tests: [
        [mismatch, "another object under the same name, while it waits"],
        [mismatch, "another object under the same name, just before the approval"],
      ],
    },
    {
      fault: "The request is deleted between two steps",
      behaviour: "The run sends a new request of the same key, and gives up after some attempts.",
      tests: [
        [faults, "a request that is deleted just before its approval, and made again"],
        [faults, "a request that is deleted again and again is given up"],
        [approval, "of a request that is deleted meanwhile is asked for again"],
      ],
    },
    {
      fault: "The request is gone long after the certificate was issued",
      behaviour: "This is not drift.",
      tests: [["cluster/certificate/flow.test.ts", "a refresh long after the request is gone keeps the certificate"]],
    },
    {
      fault: "The request cannot be deleted after the certificate was issued",
      behaviour: "The certificate is kept.",
      tests: [[mismatch, "a request that cannot be deleted in the end is no reason to lose the certificate"]],
    },
    {
      fault: "The certificate is for another key, user or group, or has other usages",
      behaviour: "It is discarded with an error that says what differs.",
      tests: [
        [mismatch, "a certificate that is not what was asked for is thrown away"],
        ["unit/provider/x509/x509.test.ts", "that is %s is rejected"],
      ],
    },
    {
      fault: "The certificate comes from a CA that the API server does not trust",
      behaviour: "The proof fails, and the certificate is discarded.",
      tests: [[mismatch, "from a CA that the API server does not know"]],
    },
    {
      fault: "The certificate comes as a chain, with text around its blocks",
      behaviour: "The first block is the certificate, and the chain is kept without the text.",
      tests: [[mismatch, "a chain with text around: the first block is the certificate, and only blocks are kept"]],
    },
    {
      fault: "The certificate is valid for a shorter time than requested",
      behaviour: "It is accepted, and its actual dates decide when it is renewed.",
      tests: [[certificate, "that the signer makes shorter than asked is taken, and renewed by its real dates"]],
    },
    {
      fault: "The certificate is due or has expired",
      behaviour:
        "An `up` without options issues another one for the same key, and the old one stays valid until it expires.",
      tests: [
        [changes, "is due by real dates: same key and name, another certificate, and the old one still works"],
        [changes, "of what has expired says so, in diff and in read"],
        [
          "cluster/certificate/flow.test.ts",
          "is announced by a preview and done by a plain up, while the old certificate goes on working",
        ],
      ],
    },
    {
      fault: "The clock of this machine is ten minutes off",
      behaviour: "The certificate is accepted.",
      tests: [[mismatch, "a clock that is off by %d s"]],
    },
    {
      fault: "The API server no longer accepts the certificate",
      behaviour: "The next `up` replaces it, and a refresh removes it from the state.",
      tests: [[changes, "a certificate that the API server no longer accepts is replaced by diff, and gone for read"]],
    },
    {
      fault: "The run is killed after the request was posted",
      behaviour: "The next run approves and collects it; there is one request.",
      tests: [
        [crash, "when the request was posted: it is approved and collected"],
        [
          "cluster/faults/crash.test.ts",
          "a certificate request that was posted when the CLI was killed is the only one, and its certificate is collected",
        ],
      ],
    },
    {
      fault: "The run is killed around or after the approval",
      behaviour: "The next run collects the same certificate.",
      tests: [
        [crash, "when the approval was on its way"],
        [crash, "when %s: the same certificate is collected"],
      ],
    },
    {
      fault: "The run is killed after the request was deleted, before the certificate was saved",
      behaviour: "Another certificate of the same key is issued.",
      tests: [[crash, "when the request was deleted and nothing saved: another certificate of the same key is signed"]],
    },
    {
      fault: "Two runs sign the same request at the same time",
      behaviour: "Both end with a certificate, and no request stays.",
      tests: [[crash, "two runs of the same request at the same time both end with a certificate, and leave nothing"]],
    },
    {
      fault: "The subject has a reserved, long or invisible name (`system:…`, 65 bytes, control characters)",
      behaviour: "The request is refused before any call.",
      tests: [
        ["unit/provider/certificate/csr.test.ts", "names that are never approved"],
        [
          "unit/properties/names.test.ts",
          "of a request is read as it was encoded, and a user or group that is Kubernetes' own is refused",
        ],
      ],
    },
    {
      fault: "The request is damaged, or its signature does not verify with its key",
      behaviour: "It is refused with a code before any call.",
      tests: [
        ["unit/provider/certificate/csr.test.ts", "every byte of a request that is changed is noticed"],
        [
          "unit/properties/pem.test.ts",
          "of a damaged request is refused with a code of the catalogue, or says the same as before",
        ],
      ],
    },
    {
      fault: "The private key is of another request",
      behaviour: "The run fails before the user of the certificate gets rights, and does not show the key.",
      tests: [
        [
          "cluster/cluster/preflightObjects.test.ts",
          "a private key that is not the one of the request is refused before its user gets rights, and never shown",
        ],
      ],
    },
  ],
};
