/**
 * Options of what a renewal or a rotation replaces or deletes. Pulumi refuses both for a protected resource, so these are not protected
 * with their component.
 */
export const replaceable = { protect: false } as const;
