/** DNS labels and subdomains, as the API server checks the names of objects (RFC 1123). */
export const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
export const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
