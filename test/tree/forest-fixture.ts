import { dirname } from 'node:path'
import { expect } from 'vitest'
import { compareKeys } from '../../src/bytes/compare.js'
import { Found } from '../../src/bytes/cursor.js'
import { loadHash } from '../../src/bytes/hash.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { KIND_DELETE } from '../../src/log/operation.js'
import { BlockCache } from '../../src/table/block-cache.js'
import { Forest, type ForestEnvironment, type ForestOptions } from '../../src/tree/forest.js'
import { ALL_KEYS } from '../../src/tree/key-range.js'
import type { Tree } from '../../src/tree/tree.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { bytes, SegmentWriter, type Text } from './segment-writer.js'

export const DIRECTORY = '/store'

const OPTIONS: ForestOptions = {
  blockBytes: 512,
  restartInterval: 4,
  filterBitsPerKey: 10,
  compression: 'lz4',
  compaction: 'leveled',
  maxOpenFiles: 100,
}

export interface FixtureOptions {
  readonly fs?: FileSystem
  readonly directory?: string
  readonly options?: Partial<ForestOptions>
  readonly executor?: 'worker' | 'inline'
  readonly readOnly?: boolean
}

/** A forest with a hand-moved clock, and what stands in for the store above it. */
export class ForestFixture {
  readonly fs: FileSystem
  readonly clock = new ManualClock()
  readonly pins: number[] = []
  readonly fatal: Error[] = []
  readonly directory: string
  forest!: Forest
  segment!: SegmentWriter
  private readonly settings: FixtureOptions

  private constructor(settings: FixtureOptions) {
    this.settings = settings
    this.fs = settings.fs ?? new MemoryFileSystem()
    this.directory = settings.directory ?? DIRECTORY
  }

  static async open(settings: FixtureOptions = {}): Promise<ForestFixture> {
    await loadHash()
    const fixture = new ForestFixture(settings)
    fixture.fs.makeDirectorySync(fixture.directory)
    fixture.fs.syncDirectorySync(dirname(fixture.directory))
    fixture.forest = settings.readOnly
      ? await Forest.openReadOnly(fixture.environment())
      : await Forest.open(fixture.environment())
    if (!settings.readOnly) fixture.nextSegment(fixture.forest.firstFreePosition)
    return fixture
  }

  /** Opens the same directory again, after `close` or after nothing at all, like a crash. */
  async reopen(): Promise<void> {
    this.forest = await Forest.open(this.environment())
    this.forest.deleteObsoleteFiles()
    this.nextSegment(this.forest.firstFreePosition)
  }

  environment(): ForestEnvironment {
    const { fs, clock, settings } = this
    return {
      fs,
      directory: this.directory,
      cache: new BlockCache(1 << 20),
      clock,
      options: { ...OPTIONS, ...settings.options },
      executor: settings.executor ?? 'inline',
      pins: () => [...this.pins].sort((a, b) => a - b),
      onFatal: (error) => this.fatal.push(error),
      onChange: () => {},
    }
  }

  tree(id: number, options = {}): Tree {
    return this.forest.trees.get(id) ?? this.forest.createTree({ id, name: `tree ${id}`, options })
  }

  /** Hands the segment that was filled so far to the forest and begins the next one. */
  startFlush(onInstalled: () => void = () => {}): Promise<void> {
    const full = this.segment
    for (const { tree } of full.images()) this.tree(tree)
    this.nextSegment(full.position)
    const { number } = this.segment
    return this.forest.flush({
      segment: full.number,
      images: full.images(),
      nextSegment: number,
      keptLogs: [],
      onInstalled,
    })
  }

  async flush(): Promise<void> {
    await this.startFlush()
  }

  close(): Promise<void> {
    return this.forest.close({ segment: this.segment.number, end: this.segment.position })
  }

  /** What a reader at `limit` sees of a key that is in tables only. */
  get(tree: number, key: Text, limit = Number.POSITIVE_INFINITY): string | undefined {
    const found = new Found()
    const sought = bytes(key)
    const hit = this.tree(tree).version.lookup(sought, 0, sought.length, limit, found)
    if (!hit || found.kind === KIND_DELETE) return undefined
    if (found.expiresAt !== 0 && found.expiresAt <= this.clock.now()) return undefined
    return Buffer.from(found.bytes.subarray(found.start, found.end)).toString()
  }

  /** Everything that a reader at `limit` sees, in key order, by way of the versions of all sources. */
  scan(tree: number, limit: number): [string, string][] {
    const { version } = this.tree(tree)
    const tombstones = version.rangeTombstones(ALL_KEYS)
    const newest = new Map<string, { position: number; value: string | undefined }>()
    for (const { cursor, newestPosition } of version.sources(limit, ALL_KEYS)) {
      for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
        const { keyBytes, keyStart, keyEnd, position, kind, expiresAt } = cursor
        expect(position).toBeLessThanOrEqual(newestPosition)
        const key = Buffer.from(keyBytes.subarray(keyStart, keyEnd)).toString()
        if ((newest.get(key)?.position ?? -1) > position) continue
        const covered = tombstones?.coveringPosition(keyBytes, keyStart, keyEnd, limit) ?? 0
        const isGone = kind === KIND_DELETE || covered > position || (expiresAt !== 0 && expiresAt <= this.clock.now())
        const value = Buffer.from(cursor.valueBytes.subarray(cursor.valueStart, cursor.valueEnd)).toString()
        newest.set(key, { position, value: isGone ? undefined : value })
      }
    }
    return [...newest]
      .flatMap(([key, { value }]): [string, string][] => (value === undefined ? [] : [[key, value]]))
      .sort(([a], [b]) => (a < b ? -1 : 1))
  }

  files(ending: string): string[] {
    return this.fs
      .listSync(this.directory)
      .filter((name) => name.endsWith(ending))
      .sort()
  }

  /** The number of tables on each level. */
  shape(tree: number): number[] {
    return this.tree(tree).version.levels.map((level) => level.length)
  }

  private nextSegment(base: number): void {
    this.forest.leasePositions(base + (1 << 20))
    this.segment = new SegmentWriter(this.forest.nextFileNumber(), base)
  }
}

/** What holds for the levels of every tree at any moment; see `Version`. */
export function expectSoundLevels(tree: Tree): void {
  const [runs, ...deeper] = tree.version.metas()
  for (const [i, run] of runs!.entries()) {
    const older = runs![i + 1]
    if (older !== undefined) expect(older.highestPosition).toBeLessThan(run.lowestPosition)
  }
  for (const [i, tables] of deeper.entries()) {
    for (const [j, table] of tables.entries()) {
      expect(table.level).toBe(i + 1)
      const next = tables[j + 1]
      if (next === undefined) continue
      expect(table.end).toBeDefined()
      expect(compareKeys(table.end!, next.start)).toBeLessThanOrEqual(0)
    }
  }
}
