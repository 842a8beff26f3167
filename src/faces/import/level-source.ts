import { invalid } from '../../bytes/errors.js'
import { describe } from '../../store/encoding.js'

/** What `importLevel` reads: a database or a sublevel of abstract-level 1 or newer, such as classic-level and memory-level are. */
export interface LevelSource {
  /** Walks over all entries, keys and values as bytes. */
  iterator(options: typeof AS_BYTES): LevelEntries
}

/** An iterator of such a database; what it yields is bytes, because it was asked for them. */
export interface LevelEntries {
  /** The next ones, at most so many; none at the end. */
  nextv(count: number): Promise<readonly (readonly [key: unknown, value: unknown])[]>
  /** Lets go of what the iterator holds. */
  close(): Promise<void>
}

export type LevelEntry = readonly [key: Uint8Array, value: Uint8Array]

// What only some databases know, the others pass over: classic-level reads slices of 16 KiB otherwise, and need not keep them.
const AS_BYTES = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  highWaterMarkBytes: 256 * 1024,
  fillCache: false,
} as const

/** How much is one batch; whichever comes first. */
export interface BatchLimits {
  readonly entries: number
  readonly bytes: number
}

export function checkSource(source: LevelSource): void {
  if (typeof source?.iterator === 'function') return
  throw invalid(`importLevel reads a database of abstract-level 1 or newer, not ${describe(source)}`)
}

/** All entries of the source, as it is now, in its order. */
export async function* batchesOf(source: LevelSource, limits: BatchLimits): AsyncGenerator<LevelEntry[]> {
  const iterator = source.iterator(AS_BYTES)
  if (typeof iterator?.nextv !== 'function') {
    throw invalid(
      'importLevel reads a database of abstract-level 1 or newer; the iterators of this one have no nextv()',
    )
  }
  try {
    let batch: LevelEntry[] = []
    let bytes = 0
    for (;;) {
      const slice = await iterator.nextv(limits.entries)
      if (slice.length === 0) break
      for (const [key, value] of slice) {
        batch.push([bytesOf(key), bytesOf(value)])
        bytes += batch.at(-1)![0].length + batch.at(-1)![1].length
        if (batch.length < limits.entries && bytes < limits.bytes) continue
        yield batch
        batch = []
        bytes = 0
      }
    }
    if (batch.length > 0) yield batch
  } finally {
    await iterator.close()
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw invalid(`importLevel asks its source for the encoding 'buffer', and got ${describe(value)}`)
}
