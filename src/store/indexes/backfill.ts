import type { Keyspace } from '../keyspace.js'
import { transact } from '../transact.js'
import { entriesOf, type TransactionScope, type WrittenIndex } from './index-writer.js'

/** What is known of an index, in a keyspace of its own: by keyspace and name. */
export interface IndexState {
  /** Of the function that made its entries. */
  readonly version: number
  /** How far it has come through the keys that were there before it, in base64url; absent once it has all. */
  readonly cursor?: string
}

export type IndexStates = Keyspace<readonly [keyspace: string, index: string], IndexState>

/** Enough that a commit is worth its while, and few enough that others seldom meet it. */
const KEYS_PER_STEP = 100

interface Backfill<K, V> {
  readonly data: Keyspace<K, V>
  readonly index: WrittenIndex<K, V>
  readonly states: IndexStates
  readonly version: number
}

/**
 * Brings an index to where its state says that it has all keys. Every step is a commit of entries together with how far they reach, so
 * whatever interrupts it, the next opening goes on from there, and two that fill the same index take turns.
 */
export async function backfill<K, V>(work: Backfill<K, V>): Promise<void> {
  const { data, index, states, version } = work
  const id = [data.name, index.name] as const
  const known = await states.get(id)
  if (known?.version === version && known.cursor === undefined) return
  if (known?.version !== version) {
    const begin = (tx: TransactionScope): void => {
      tx.keyspace(index.entries).clearSync()
      tx.keyspace(states).putSync(id, { version, cursor: '' })
    }
    await transact(states, begin, TENACIOUS)
  }
  while (await step(work, id));
}

/** Two that fill one index meet at every step. */
const TENACIOUS = { retries: 1000 }

/** Takes the next keys; says whether there may be more. */
function step<K, V>({ data, index, states, version }: Backfill<K, V>, id: readonly [string, string]): Promise<boolean> {
  const raw = data.as<Uint8Array, Uint8Array>({ keyEncoding: 'view', valueEncoding: 'view' })
  const run = async (tx: TransactionScope): Promise<boolean> => {
    const state = await tx.keyspace(states).get(id)
    // Another handle on the same keyspace has come to the end meanwhile.
    if (state?.cursor === undefined) return false
    const after = new Uint8Array(Buffer.from(state.cursor, 'base64url'))
    const bounds = state.cursor === '' ? {} : { gt: after }
    const found = await tx
      .keyspace(raw)
      .entries({ ...bounds, limit: KEYS_PER_STEP })
      .toArray()
    const entries = tx.keyspace(index.entries)
    for (const [key, value] of found) {
      const decoded = data.keyEncoding.read(key, 0, key.length)
      const made = entriesOf(index, data, decoded, data.valueEncoding.read(value, 0, value.length))
      for (const entry of made.values()) entries.putSync(entry.key, entry.value)
    }
    const last = found.at(-1)?.[0]
    const isDone = last === undefined || found.length < KEYS_PER_STEP
    const cursor = isDone ? {} : { cursor: Buffer.from(last).toString('base64url') }
    tx.keyspace(states).putSync(id, { version, ...cursor })
    return !isDone
  }
  return transact(states, run, TENACIOUS)
}

/** Removes what a keyspace has of indexes that are not declared any more: nobody keeps them, so they would soon be wrong. */
export async function dropOthers(
  states: IndexStates,
  keyspace: string,
  declared: ReadonlySet<string>,
  entriesFor: (name: string) => Keyspace<Uint8Array, Uint8Array>,
): Promise<void> {
  for await (const id of states.keys({ gte: [keyspace, ''] })) {
    if (id[0] !== keyspace) break
    if (declared.has(id[1])) continue
    const drop = (tx: TransactionScope): void => {
      tx.keyspace(entriesFor(id[1])).clearSync()
      tx.keyspace(states).delSync(id)
    }
    await transact(states, drop, TENACIOUS)
  }
}
