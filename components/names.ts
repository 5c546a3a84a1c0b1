/** DNS label (RFC 1123), such as the name of a namespace. The length is not checked. */
export const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** DNS subdomain (RFC 1123), such as the name of a ServiceAccount. The length is not checked. */
export const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
