/** The ASN.1 part of node-forge by itself: it loads in a tenth of the time that the whole takes. */
declare module "node-forge/lib/asn1.js" {
  import type forge from "node-forge";

  const asn1: typeof forge.asn1;
  export default asn1;
}
