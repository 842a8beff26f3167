import { SiltstoneError } from '../bytes/errors.js'

/** What would have to be atomic over several shards, and cannot be. */
export function crossShard(what: string, names: readonly string[]): SiltstoneError {
  return new SiltstoneError(
    'SILT_CROSS_SHARD',
    `${what} touches the shards '${names.join("' and '")}', and nothing is atomic over several; nothing was written. Give the keys one tag, such as {42}, to bring them together`,
  )
}
