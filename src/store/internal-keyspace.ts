import type { Encoding } from './encoding.js'
import { internalName } from './internal-trees.js'
import { Keyspace } from './keyspace.js'

/** A keyspace of the store's own, beside one of the user's: for what stands on the store and commits together with him. */
export function internalKeyspace<K, V>(
  { engine, family }: Pick<Keyspace<never, never>, 'engine' | 'family'>,
  name: string,
  keyEncoding: Encoding<K>,
  valueEncoding: Encoding<V>,
): Keyspace<K, V> {
  return new Keyspace(engine, engine.tree(internalName(name), {}), keyEncoding, valueEncoding, family)
}
