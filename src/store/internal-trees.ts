/**
 * Trees that are the store's own, for what stands on it: neither `changes` nor the list of keyspaces shows them. The character that
 * begins their names is the one that nobody types by accident.
 */
const INTERNAL_PREFIX = '\0'

/** The name of a tree of the store's own. */
export function internalName(name: string): string {
  return INTERNAL_PREFIX + name
}

/** Whether a tree is the store's own. */
export function isInternal(name: string): boolean {
  return name.startsWith(INTERNAL_PREFIX)
}
