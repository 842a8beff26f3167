import { createHash } from 'node:crypto'
import { Found } from '../../../src/bytes/cursor.js'
import type { Database } from '../../../src/index.js'
import { internalName } from '../../../src/store/internal-trees.js'

export type AnyDatabase = Pick<Database, 'engine' | 'keyspace' | 'as'>

/** One hash over every key, value and expiry of every keyspace, those of indexes included; not over how far a replica has got. */
export function digestOf(db: AnyDatabase): string {
  const { engine } = db
  const hash = createHash('sha256')
  const found = new Found()
  const states = engine.trees().filter(({ name }) => name !== internalName('replica'))
  for (const state of states.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const raw = { keyEncoding: 'view', valueEncoding: 'view' } as const
    const keyspace = state.name === '' ? db.as(raw) : db.keyspace(state.name).as(raw)
    let isNamed = false
    for (const [key, value] of keyspace.entries()) {
      if (!isNamed) hash.update(JSON.stringify(state.name))
      isNamed = true
      if (!engine.lookup(state, key, key.length, engine.visible, found)) throw new Error('a scanned key is there')
      hash.update(`${key.length} ${value.length} ${found.expiresAt} `).update(key).update(value)
    }
  }
  return hash.digest('hex')
}
