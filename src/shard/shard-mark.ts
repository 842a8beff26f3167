import { invalid, SiltstoneError } from '../bytes/errors.js'

/*
 * What a shard says about itself, in a keyspace of its own that users do not see: whose shard it is, what it is called there, and
 * the newest epoch of the directory it has heard of.
 */

/** The keyspace for the mark. */
export const MARK_SPACE = '\u0000siltstone.shard'
/** Its only key. */
export const MARK_KEY = new TextEncoder().encode('mark')

export interface ShardMark {
  /** The sharded store it belongs to. */
  readonly store: string
  readonly name: string
  readonly epoch: number
}

/** Throws why a directory is not the shard that it should be. */
export function checkMark(found: ShardMark, expected: ShardMark, path: string): void {
  if (found.store !== expected.store) {
    throw invalid(
      `${path} belongs to another sharded store (there it is '${found.name}'), so it cannot be shard '${expected.name}' of this one; nothing was changed. Put the right directory back`,
    )
  }
  if (found.name !== expected.name) {
    throw invalid(
      `${path} is shard '${found.name}' of this store, not '${expected.name}'; nothing was changed. Were directories exchanged?`,
    )
  }
  if (found.epoch > expected.epoch) {
    throw new SiltstoneError(
      'SILT_CONFLICT',
      `The directory of ownership is older than shard '${found.name}': it is at epoch ${expected.epoch}, the shard at ${found.epoch}. Keys have moved since, so nothing was opened; restore directory and shards from the same backup`,
    )
  }
}
