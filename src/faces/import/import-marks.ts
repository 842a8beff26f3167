import { resolveEncoding } from '../../store/encoding.js'
import { internalKeyspace } from '../../store/internal-keyspace.js'
import type { Keyspace } from '../../store/keyspace.js'
import type { Sum } from './entry-digest.js'

/**
 * How far the unfinished imports of a store have come: what they have brought over, by the name of the keyspace that they go to. A mark
 * is written in the same commit as the entries that it counts, and removed when all of them are verified.
 */
export type ImportMarks = Keyspace<string, Sum>

export function importMarks(target: Keyspace<Uint8Array, Uint8Array>): ImportMarks {
  return internalKeyspace(
    target,
    'imports',
    resolveEncoding<string>('utf8', 'keyEncoding'),
    resolveEncoding<Sum>('json', 'valueEncoding'),
  )
}
