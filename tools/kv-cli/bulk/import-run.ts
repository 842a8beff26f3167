import type { BatchOperation } from '../../../src/store/batch.js'
import { type Place, placeIn, type Store } from '../store.js'
import { stopSignal } from '../terminal.js'
import type { Progress } from './progress.js'
import type { Source, SourceEntry } from './source.js'

/**
 * Where an import remembers how far it has come: in the store itself, in the same commit as the entries, so that a killed import
 * goes on exactly where it was, without a gap and without doing anything twice.
 */
export const IMPORTS_KEYSPACE = 'kv-cli.imports'

export interface ImportOptions {
  readonly keyspace: string | undefined
  readonly batchEntries: number
  readonly sync: boolean
  readonly restart: boolean
}

export interface ImportOutcome {
  readonly imported: number
  /** Entries that earlier runs had brought in. */
  readonly before: number
  readonly complete: boolean
  /** Where what is there was read back. */
  readonly checksum?: string
}

interface Mark {
  readonly next: string
  readonly count: number
}

export async function runImport(
  store: Store,
  source: Source,
  options: ImportOptions,
  progress: Progress,
  onResume: (before: number) => void,
): Promise<ImportOutcome> {
  const marks = placeIn(store, IMPORTS_KEYSPACE)
  const { identity } = source
  const markKey = identity === undefined ? undefined : Buffer.from(identity)
  const mark = markKey === undefined || options.restart ? undefined : await readMark(marks, markKey)
  const before = mark?.count ?? 0
  if (before > 0) onResume(before)
  let imported = 0
  let firstShare: number | undefined
  let waiting: SourceEntry[] = []
  const commit = async (): Promise<void> => {
    const last = waiting.at(-1)
    if (last === undefined) return
    imported += waiting.length
    const operations: BatchOperation<Buffer, Buffer>[] = waiting.map(({ key, value, keyspace = options.keyspace }) => {
      const operation = { type: 'put' as const, key, value }
      return keyspace === undefined ? operation : { ...operation, keyspace: placeIn(store, keyspace) }
    })
    if (markKey !== undefined) {
      const value = Buffer.from(JSON.stringify({ next: last.next, count: before + imported } satisfies Mark))
      operations.push({ type: 'put', key: markKey, value, keyspace: marks })
    }
    await store.batch(operations, { sync: options.sync })
    firstShare ??= last.share
    progress.advance(
      imported,
      last.share,
      last.share === undefined ? undefined : last.share - (before > 0 ? firstShare! : 0),
    )
    waiting = []
  }
  for await (const entry of source.entries(mark?.next)) {
    waiting.push(entry)
    if (waiting.length >= options.batchEntries) await commit()
    if (stopSignal.aborted) break
  }
  await commit()
  const complete = !stopSignal.aborted
  if (complete && markKey !== undefined && before + imported > 0) await marks.del(markKey)
  return { imported, before, complete }
}

async function readMark(marks: Place, key: Buffer): Promise<Mark | undefined> {
  const value = await marks.get(key)
  return value === undefined ? undefined : (JSON.parse(value.toString()) as Mark)
}
