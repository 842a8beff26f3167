import { compareKeys } from '../bytes/compare.js'
import { Found } from '../bytes/cursor.js'
import { BlockNotResident } from '../table/block-not-resident.js'
import { Rounds } from '../table/rounds.js'
import { containsKey } from '../tree/key-range.js'
import { pendingTouches } from './changes-since.js'
import { preparedByteBound, putPrepared } from './encoding.js'
import type { Engine } from './engine.js'
import { checkSizes, expiryOf } from './operations.js'
import type { TreeState } from './tree-state.js'
import type { PutOptions, WriteOptions, WriteTarget } from './write-target.js'

/*
 * What is compared is what a commit issued now would follow: everything visible, and nothing on its way that touches the key. So
 * between comparing and committing, which happen in one turn, nobody can come; and of those that ask in one turn the first one
 * is answered by what is visible, the others once they can see what the first one did.
 */

// Looking at what is on its way costs 0.1 us for each operation. Beyond so many bytes it is cheaper to wait until it is visible,
// which it is with the end of the turn or with the sync under way.
const LONGEST_LOOK_BYTES = 16 * 1024

const found = new Found()

/** A keyspace of bytes. */
export interface ByteKeyspace {
  readonly engine: Engine
  readonly state: TreeState
  put(key: Uint8Array, value: Uint8Array, options: PutOptions): Promise<void>
  putSync(key: Uint8Array, value: Uint8Array, options: PutOptions): void
  del(key: Uint8Array, options: WriteOptions): Promise<void>
  delSync(key: Uint8Array, options: WriteOptions): void
}

/** What is asked for, as bytes of its own: what the caller does to it meanwhile makes no difference. */
export interface Exchange {
  readonly key: Uint8Array
  /** `undefined`: the key has to be absent. */
  readonly expected: Uint8Array | undefined
  /** `undefined`: the key is to be removed. */
  readonly value: Uint8Array | undefined
  readonly options: PutOptions & { sync: boolean }
}

/** Checks and encodes what is asked for. */
export function exchangeOf<K, V>(
  target: WriteTarget<K, V>,
  key: K,
  expected: V | undefined,
  value: V | undefined,
  options: PutOptions = {},
): Exchange {
  const sync = target.putSyncOf(options, 'compareAndSet')
  const { ttl } = options
  expiryOf(ttl, 0)
  const exchange = {
    key: bytesOf(target.prepareKey(key)),
    expected: expected === undefined ? undefined : bytesOf(target.prepareValue(expected)),
    value: value === undefined ? undefined : bytesOf(target.prepareValue(value)),
    options: { sync, ...(ttl === undefined ? {} : { ttl }) },
  }
  checkSizes(exchange.key, exchange.value ?? '')
  return exchange
}

/** Compares and, where it is as expected, sets. */
export async function compareAndSet(keyspace: ByteKeyspace, exchange: Exchange): Promise<boolean> {
  const { engine } = keyspace
  const { key, expected, value, options } = exchange
  for (const rounds = new Rounds(); ; ) {
    engine.checkWritable()
    if (isTouched(keyspace, exchange)) {
      await engine.pipeline.issued()
      continue
    }
    const verdict = isAsExpected(keyspace, exchange, rounds.isLast)
    if (verdict instanceof BlockNotResident) {
      await rounds.load(verdict)
      continue
    }
    if (!verdict) return false
    // Committed in this very turn.
    if (value !== undefined) await keyspace.put(key, value, options)
    else if (expected !== undefined) await keyspace.del(key, { sync: options.sync })
    return true
  }
}

/** The same on this thread. */
export function compareAndSetSync(keyspace: ByteKeyspace, exchange: Exchange): boolean {
  const { engine } = keyspace
  const { key, expected, value, options } = exchange
  engine.checkWritable()
  if (isTouched(keyspace, exchange)) engine.pipeline.drain(false)
  if (isAsExpected(keyspace, exchange, true) !== true) return false
  if (value !== undefined) keyspace.putSync(key, value, options)
  else if (expected !== undefined) keyspace.delSync(key, { sync: options.sync })
  return true
}

function bytesOf(prepared: string | Uint8Array): Uint8Array {
  const bytes = new Uint8Array(preparedByteBound(prepared))
  return bytes.slice(0, putPrepared(bytes, 0, prepared))
}

/** Whether a commit that is not visible yet may change the key. */
function isTouched({ engine, state }: ByteKeyspace, { key }: Exchange): boolean {
  const pendingBytes = engine.log!.end - engine.visible
  if (pendingBytes === 0) return false
  if (pendingBytes > LONGEST_LOOK_BYTES) return true
  return pendingTouches(engine, {
    touchesKey: (tree, other) => tree === state.id && compareKeys(other, key) === 0,
    touchesRange: (tree, range) => tree === state.id && containsKey(range, key, 0, key.length),
  })
}

function isAsExpected(
  { engine, state }: ByteKeyspace,
  { key, expected }: Exchange,
  blocking: boolean,
): boolean | BlockNotResident {
  const { cache } = engine
  cache.blocking = blocking
  try {
    const isThere = engine.lookup(state, key, key.length, engine.visible, found)
    if (expected === undefined || !isThere) return isThere === (expected !== undefined)
    return compareKeys(found.bytes.subarray(found.start, found.end), expected) === 0
  } catch (error) {
    if (error instanceof BlockNotResident) return error
    throw error
  } finally {
    cache.blocking = true
  }
}
