import { SiltstoneError } from '../bytes/errors.js'

/** What to do instead where atomicity can be done without. */
export const NOT_ATOMIC = 'say { atomic: false }'

/** What would have to be atomic over several shards, and cannot be. */
export function crossShard(
  what: string,
  names: readonly string[],
  done = 'written',
  instead = 'while keys move, what has one tag may stand on two shards for a moment: then try again',
): SiltstoneError {
  return new SiltstoneError(
    'SILT_CROSS_SHARD',
    `${what} touches the shards '${names.join("' and '")}', and nothing is atomic over several; nothing was ${done}. Give what belongs together one tag, such as {42}, or ${instead}`,
  )
}
