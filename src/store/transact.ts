import { invalid, SiltstoneError } from '../bytes/errors.js'
import { describe } from './encoding.js'
import type { Keyspace } from './keyspace.js'
import { checked, flag, oneOf, whole } from './options.js'
import { type Isolation, Transaction, TransactionState } from './transaction.js'

/** What `db.transaction` takes. */
export interface TransactionOptions {
  /** Default 'serializable'. */
  isolation?: Isolation
  /** How often the function runs again after a conflict before `SILT_CONFLICT` is thrown (default 5). */
  retries?: number
  /** Resolve only when the commit is on disk (default: the store's `sync`). */
  sync?: boolean
}

const checks = { isolation: oneOf('serializable', 'snapshot'), retries: whole(0, 1_000_000, 'attempts'), sync: flag }

// After the first retry, which comes at once, the pauses grow to this one; each is drawn by chance, so that those who met do
// not meet again.
const LONGEST_PAUSE_MS = 64

interface Settings {
  readonly isolation: Isolation
  readonly retries: number
  readonly sync: boolean
}

function settingsOf<K, V>(keyspace: Keyspace<K, V>, options: TransactionOptions): Settings {
  const given = checked(options, checks, 'transaction')
  return { isolation: 'serializable', retries: 5, sync: keyspace.family.sync, ...given }
}

function checkFunction(run: unknown): void {
  if (typeof run !== 'function') throw invalid(`A transaction takes a function, not ${describe(run)}`)
}

/** Runs a function until its reads and writes fit between those of everybody else. */
export async function transact<K, V, T>(
  keyspace: Keyspace<K, V>,
  run: (transaction: Transaction<K, V>) => Promise<T> | T,
  options: TransactionOptions,
): Promise<T> {
  checkFunction(run)
  const { isolation, retries, sync } = settingsOf(keyspace, options)
  const { engine } = keyspace
  for (let attempt = 0; ; attempt++) {
    engine.checkWritable()
    const shared = new TransactionState(engine, isolation)
    try {
      const result = await run(new Transaction(keyspace, shared))
      shared.checkOpen()
      if (!shared.hasWrites || (await shared.commitUnlessConflict(sync))) return result
    } finally {
      shared.close()
    }
    if (attempt === retries) throw conflict(retries)
    await engine.pause(attempt === 0 ? 0 : Math.ceil(Math.random() * Math.min(LONGEST_PAUSE_MS, 2 ** attempt)))
  }
}

/** The same on this thread, where a conflict can come only from what the function itself writes past its transaction. */
export function transactSync<K, V, T>(
  keyspace: Keyspace<K, V>,
  run: (transaction: Transaction<K, V>) => T,
  options: TransactionOptions,
): T {
  checkFunction(run)
  const { isolation, retries, sync } = settingsOf(keyspace, options)
  const { engine } = keyspace
  for (let attempt = 0; attempt <= retries; attempt++) {
    engine.checkWritable()
    // What others have issued in this turn comes before this transaction, so let it be seen.
    engine.pipeline.drain(false)
    const shared = new TransactionState(engine, isolation)
    try {
      const result = run(new Transaction(keyspace, shared))
      if (result instanceof Promise) {
        result.catch(() => {})
        throw invalid('transactionSync takes a function that returns no promise; use transaction for one that does')
      }
      if (!shared.hasWrites || !shared.hasConflict()) {
        shared.commit(sync, true)
        return result
      }
    } finally {
      shared.close()
    }
  }
  throw conflict(retries)
}

function conflict(retries: number): SiltstoneError {
  const times = retries + 1
  return new SiltstoneError(
    'SILT_CONFLICT',
    `The transaction met others in all ${times} attempts, and nothing of it was written; try again later, or with more retries`,
  )
}
