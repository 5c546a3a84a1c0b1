/**
 * Options of resources that a renewal or a rotation replaces or deletes. They do not inherit the component's `protect`, with which Pulumi
 * refuses both.
 */
export const replaceable = { protect: false } as const;
