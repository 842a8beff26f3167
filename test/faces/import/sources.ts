import { ClassicLevel } from 'classic-level'
import { MemoryLevel } from 'memory-level-1'
import { onTestFinished } from 'vitest'
import type { Keyspace } from '../../../src/index.js'
import { type LevelSource, SiltstoneLevel } from '../../../src/level.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { scratchDirectory } from '../level/scratch.js'

export type Entry = readonly [key: Buffer, value: Buffer]

/** A database of Level that takes bytes; only what these tests do with one. */
export interface Source extends LevelSource {
  batch(operations: { type: 'put' | 'del'; key: Buffer; value: Buffer }[]): Promise<void>
  del(key: Buffer): Promise<void>
  put(key: Buffer, value: Buffer): Promise<void>
  close(): Promise<void>
}

const BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const

/** One of each kind: LevelDB itself, the oldest abstract-level whose iterators give slices, and Siltstone. */
export const KINDS: Record<string, () => Source> = {
  'classic-level': () => new ClassicLevel<Buffer, Buffer>(scratchDirectory(), BYTES),
  'memory-level 1': () => new MemoryLevel<Buffer, Buffer>(BYTES),
  'siltstone/level': () => new SiltstoneLevel<Buffer, Buffer>(':memory:', BYTES),
}

export async function sourceOf(
  entries: readonly Entry[],
  make: () => Source = KINDS['siltstone/level']!,
): Promise<Source> {
  const source = make()
  onTestFinished(() => source.close())
  await source.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
  return source
}

/** Entries with keys of any bytes, in their order, none twice; values of all lengths up to a limit. */
export function randomEntries(count: number, seed = 1, longestValue = 200): Entry[] {
  const random = new SeededRandom(seed)
  const entries = new Map<string, Entry>()
  while (entries.size < count) {
    const key = Buffer.from(random.bytes(random.below(20)))
    entries.set(key.toString('latin1'), [key, Buffer.from(random.bytes(random.below(longestValue)))])
  }
  return [...entries.values()].sort(([a], [b]) => Buffer.compare(a, b))
}

/** As text: comparing thousands of Buffers takes a test longer than all else. */
export function shown(entries: readonly Entry[]): string[] {
  return entries.map(([key, value]) => `${key.toString('base64')} ${value.toString('base64')}`)
}

/** What a store or a keyspace holds, as text. */
export async function contentOf(store: Pick<Keyspace<Buffer, Buffer>, 'entries'>): Promise<string[]> {
  return shown(await store.entries().toArray())
}
