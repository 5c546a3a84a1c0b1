/** The ASN.1 part of node-forge, which loads in a tenth of the time of the whole package. */
declare module "node-forge/lib/asn1.js" {
  import type forge from "node-forge";

  const asn1: typeof forge.asn1;
  export default asn1;
}
