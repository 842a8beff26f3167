import type { Clock } from '../bytes/clock.js'
import type { CompressionName } from '../bytes/compression.js'
import { assert, SiltstoneError } from '../bytes/errors.js'
import { getU16, getU32, TWO_32 } from '../bytes/integers.js'
import type { FileNumber, Position, TreeId } from '../bytes/units.js'
import { kindOf } from '../fs/file-kind.js'
import type { FileSystem } from '../fs/file-system.js'
import { randomBytes } from '../fs/random-bytes.js'
import type { BlockCache } from '../table/block-cache.js'
import { TableFiles } from '../table/table-files.js'
import { CompactionScheduler } from './compaction-scheduler.js'
import { executorFor } from './executor-choice.js'
import { parseStoreFile, type StoreFile, tableName } from './file-names.js'
import { FlushQueue, type FlushRequest } from './flush-queue.js'
import { type ForestStats, forestStats, treeStats } from './forest-stats.js'
import { Grove } from './grove.js'
import type { JobContext } from './job.js'
import { Jobs } from './jobs.js'
import type { KeyRange } from './key-range.js'
import { NumberLease } from './lease.js'
import { LiveTables, missingTable } from './live-table.js'
import { Manifest, type ManifestEnvironment } from './manifest.js'
import { currentManifest, readManifest } from './manifest-file.js'
import { type CleanEnd, ManifestState, type Origin, type TreeRecord } from './manifest-state.js'
import { isOwnFile } from './own-files.js'
import { type Pressure, pressureOf } from './pressure.js'
import type { TableMeta } from './table-meta.js'
import { Tree } from './tree.js'
import type { CompactionStyle } from './tree-options.js'
import { FEWEST_LEASED_FILES, FIRST_LEASED_POSITIONS, READ_ONLY_ATTEMPTS } from './tuning.js'

export type { FlushRequest } from './flush-queue.js'
export type { ForestStats } from './forest-stats.js'
export type { CleanEnd, TreeRecord } from './manifest-state.js'
export type { Pressure } from './pressure.js'
export { Tree } from './tree.js'
export { Version } from './version.js'

export interface ForestOptions {
  readonly blockBytes: number
  readonly restartInterval: number
  readonly filterBitsPerKey: number
  /** For trees that name none of their own. */
  readonly compression: CompressionName
  /** For trees that name none of their own. */
  readonly compaction: CompactionStyle
  readonly maxOpenFiles: number
}

/** What a forest stands on. */
export interface ForestEnvironment {
  readonly fs: FileSystem
  readonly directory: string
  readonly cache: BlockCache
  readonly clock: Clock
  readonly options: ForestOptions
  /** Where jobs run; in a worker only where that sees the same files. */
  readonly executor: 'worker' | 'inline'
  /** Throws where the store may not be written to any more. Absent where it cannot be lost. */
  readonly verifyLock?: (() => void) | undefined
  /** Whoever had the store before may wake up: nothing is written to a file that it may have open. */
  readonly isAfterSilence?: boolean
  /** The positions at which snapshots and scans read, ascending. */
  pins(): readonly Position[]
  /** An fsync failed: nothing may be acknowledged any more. Reading goes on. */
  onFatal(error: Error): void
  /** Tables have changed, and so may `pressure`. */
  onChange(): void
}

/** What only a forest that is written to has. */
interface Writing {
  readonly grove: Grove
  readonly flushes: FlushQueue
  readonly compactions: CompactionScheduler
}

/**
 * All trees of one store, on one manifest. It turns full segments into tables, keeps the levels in shape, and tells what may
 * be forgotten.
 */
export class Forest {
  readonly storeId: number
  /** Where positions begin in this session: none at or above this was ever used. */
  readonly firstFreePosition: Position
  private readonly environment: ForestEnvironment
  private readonly state: ManifestState
  private readonly tables: LiveTables
  /** The files of its tables that are open. */
  readonly tableFiles: TableFiles
  private readonly treesById = new Map<TreeId, Tree>()
  private writing: Writing | undefined
  private closing: Promise<void> | undefined
  private isSweepDue = false

  private constructor(environment: ForestEnvironment, state: ManifestState, firstFree: Position, keepOpen: boolean) {
    const { fs, directory, cache, options } = environment
    this.environment = environment
    this.state = state
    this.storeId = state.storeId
    this.firstFreePosition = firstFree
    this.tableFiles = new TableFiles(fs, { maxOpenFiles: options.maxOpenFiles, keepOpen })
    this.tables = new LiveTables({ fs, directory, files: this.tableFiles, cache }, (path) =>
      this.writing?.grove.removeLater(path),
    )
    const metas = new Map<TreeId, TableMeta[]>([...state.trees.keys()].map((id) => [id, []]))
    for (const meta of state.tables.values()) metas.get(meta.tree)?.push(meta)
    for (const record of state.trees.values()) this.plant(record, metas.get(record.id)!)
  }

  /** Makes the manifest of a new store. Requires: the directory is there, and the caller holds its lock. */
  static async create(environment: ForestEnvironment): Promise<Forest> {
    const state = new ManifestState()
    state.storeId = randomStoreId(environment.fs)
    // Somebody may have begun here, and may still be at it.
    const firstFile = firstFreeNumber(environment.fs, storeFiles(environment.fs, environment.directory), 1)
    state.lease = { files: firstFile + FEWEST_LEASED_FILES - 1, positions: FIRST_LEASED_POSITIONS }
    const forest = new Forest(environment, state, 0, false)
    forest.startWriting(new NumberLease(state.lease, firstFile), (parts) => Manifest.create(parts, state))
    return forest
  }

  /** Opens a store to write. Requires: the caller holds its lock. */
  static async open(environment: ForestEnvironment): Promise<Forest> {
    const { fs, directory, isAfterSilence } = environment
    // Before CURRENT is read: its last holder may be about to rename the next one.
    if (isAfterSilence) removeNextCurrents(environment)
    const number = currentManifest(fs, directory)
    if (number === undefined) return Forest.create(environment)
    const reading = readManifest(fs, directory, number)
    const { state } = reading
    const files = storeFiles(fs, directory)
    requireTables(directory, state, files)
    // A file that kept its name through a crash, though the lease that covered its number got lost, is here to be seen.
    const firstFile = firstFreeNumber(fs, files, state.lease.files)
    const forest = new Forest(environment, state, state.lease.positions, false)
    forest.startWriting(new NumberLease(state.lease, firstFile), (parts) =>
      Manifest.resume(parts, reading, isAfterSilence),
    )
    return forest
  }

  /**
   * Opens a store to read, beside a process that may be writing it: nothing is locked and nothing written. All tables are held
   * open, so what is read stays even when the writer removes it.
   */
  static async openReadOnly(environment: ForestEnvironment): Promise<Forest> {
    const { fs, directory } = environment
    for (let attempt = 1; ; attempt++) {
      let forest: Forest | undefined
      try {
        const number = currentManifest(fs, directory)
        const state = number === undefined ? new ManifestState() : readManifest(fs, directory, number).state
        forest = new Forest(environment, state, state.lease.positions, true)
        await forest.tables.openAll()
        return forest
      } catch (error) {
        forest?.tables.closeAll()
        // The writer replaced a manifest or a table between two looks: the new CURRENT knows by what.
        if (attempt === READ_ONLY_ATTEMPTS || !isMissingFile(error)) throw error
      }
    }
  }

  get trees(): ReadonlyMap<TreeId, Tree> {
    return this.treesById
  }

  /** The newest edit that is on disk. */
  get lastEdit(): number {
    return this.writing?.grove.manifest.lastEdit ?? this.state.edit
  }

  /** The first segment of the commit log that is not in tables as a whole; 0 before any flush. */
  get logFrom(): FileNumber {
    return this.state.logFrom
  }

  /** What the store began as a copy of, if it did. */
  get origin(): Origin | null {
    return this.state.origin
  }

  /** How the last session ended; `null` after a crash, and once this session has written an edit. */
  get clean(): CleanEnd | null {
    return this.state.clean
  }

  /**
   * A new tree, or new options for one that is there. Known at once; on disk with the next edit, until which the commit log
   * has to carry it. A reader that finds a tree there writes no edit.
   */
  createTree(record: TreeRecord): Tree {
    const tree = this.treesById.get(record.id) ?? this.plant(record, [])
    tree.options = record.options
    this.writing?.grove.recordTree(tree)
    return tree
  }

  /** A number for a new file. Blocks for an fsync where the lease has run out. */
  nextFileNumber(): FileNumber {
    const { grove } = this.writer
    const number = grove.lease.takeFile()
    grove.coverFiles()
    return number
  }

  /**
   * No later session can use a position below `upTo` again, as soon as what this returns resolves; at once where it returns nothing. Blocks
   * for an fsync only where it may wait for one, or there is another edit on its way.
   */
  leasePositions(upTo: Position, mayWait = true): Promise<void> | undefined {
    return this.writer.grove.leasePositions(upTo, mayWait)
  }

  /** Positions below this one are going to be needed soon. */
  leaseAhead(upTo: Position): void {
    this.writer.grove.leaseAhead(upTo)
  }

  /** Brings every edit that is on its way to the disk, on this thread; false where that failed. */
  settleManifest(): boolean {
    const { manifest } = this.writer.grove
    manifest.settleSync()
    return !manifest.hasFailed
  }

  /** Recovery begins with this segment from now on; what stood before it held nothing. Synchronous and durable. */
  skipLog(logFrom: FileNumber): void {
    this.writer.grove.skipLog(logFrom)
  }

  /** Turns a segment's memtables into tables. Flushes are installed in the order in which they are asked for. */
  flush(request: FlushRequest): Promise<void> {
    const { flushes, compactions } = this.writer
    compactions.postponeQuiet()
    return flushes.add(request)
  }

  /** Resolves when a segment that was handed to `flush` is in tables; rejects when an attempt to get it there fails. */
  flushed(segment: FileNumber): Promise<void> {
    return this.writer.flushes.flushed(segment)
  }

  /** Blocks until a flush is installed, or throws why its attempt failed; it goes on being attempted. */
  waitSync(): void {
    this.writer.flushes.waitSync()
  }

  /** Whether a flush is under way, and nothing keeps it from being tried. */
  get isFlushing(): boolean {
    const { flushes } = this.writer
    return !flushes.isEmpty && !flushes.isStuck
  }

  /** Why the last attempt to flush failed, while the next one waits for its time. */
  get flushFailure(): Error | undefined {
    const { flushes, grove } = this.writer
    return flushes.isStuck ? grove.jobs.lastError : undefined
  }

  /** Has it tried again now. */
  retryFlush(): void {
    this.writer.flushes.retryNow()
  }

  /** Resolves when a job has ended since the call, or its tables became visible. */
  change(): Promise<void> {
    return this.writer.grove.jobs.change()
  }

  /**
   * Installs what flushes and compactions have finished, without waiting for more than the manifest's sync. A writer that does not
   * give up its turn would else be slowed down for flushes that ended long ago.
   */
  installEnded(): void {
    const { jobs, manifest } = this.writer.grove
    jobs.settleEnded()
    manifest.settleSync()
  }

  /** Compacts a range whether that is due or not: 'minor' its runs of level 0 into one, 'major' everything in it. */
  compactRange(tree: Tree, { range, kind }: { range: KeyRange; kind: 'minor' | 'major' }): Promise<void> {
    return this.writer.compactions.request(tree, range, kind)
  }

  /** To be called when something may be due that was not: pins were released, or the forest was just opened. */
  scheduleCompactions(): void {
    this.writing?.compactions.schedule()
  }

  /** Resolves when nothing is under way and nothing due; rejects when what is due fails. */
  async idle(): Promise<void> {
    if (this.writing === undefined) return
    const { flushes, compactions, grove } = this.writing
    const { jobs } = grove
    flushes.retryNow()
    for (;;) {
      compactions.becomeQuiet()
      // Versions that were replaced just now have their files removed by a job of the next microtask.
      await Promise.resolve()
      if (flushes.isEmpty && compactions.isIdle && jobs.isIdle && !this.isSweepDue) return
      await jobs.change()
      if (flushes.isStuck || compactions.isStuck) throw jobs.lastError
    }
  }

  pressure(): Pressure {
    return this.writing === undefined ? { debt: 0 } : pressureOf(this.treesById.values(), this.writing.compactions)
  }

  /** Where its jobs run. */
  get executor(): 'worker' | 'inline' {
    return this.writing?.grove.jobs.place ?? 'inline'
  }

  stats(): ForestStats {
    const { compression, compaction } = this.environment.options
    const trees = [...this.treesById.values()].map((tree) =>
      treeStats(tree, tree.options.compaction ?? compaction, tree.options.compression ?? compression),
    )
    return forestStats(trees, this.writing?.grove.jobs, this.lastEdit)
  }

  /** Removes tables, manifests and temporary files that nothing names: left by a crash, or by a job that was cut short. */
  deleteObsoleteFiles(): void {
    const { grove } = this.writer
    const litter = this.litter(grove)
    // Behind the look at the directory: what was seen there is no file of somebody who has taken the store since.
    this.environment.verifyLock?.()
    for (const path of litter) grove.removeLater(path)
  }

  /** The same files by their paths. `undefined` while work is under way, which makes files before anything names them. */
  strayFiles(): string[] | undefined {
    if (this.writing === undefined) return undefined
    const { grove, flushes, compactions } = this.writing
    return flushes.isEmpty && compactions.isIdle && grove.jobs.isIdle ? this.litter(grove) : undefined
  }

  /** A job was cut short and nobody knows what it has written: what is left of it is found when nothing else is being written. */
  private async sweepLater(): Promise<void> {
    if (this.isSweepDue || this.writing === undefined) return
    this.isSweepDue = true
    const { jobs } = this.writing.grove
    let strays: string[] | undefined
    while (this.closing === undefined && strays === undefined) {
      await jobs.change()
      strays = this.strayFiles()
    }
    this.isSweepDue = false
    for (const path of strays ?? []) this.writing.grove.removeLater(path)
    jobs.changed()
  }

  /** Whether the manifest has promised the number to this store: what an interrupted write has left under it may be anything. */
  hasPromised(number: FileNumber): boolean {
    return number < this.state.lease.files
  }

  private isOurs({ kind, number, path }: FoundFile): boolean {
    const { fs } = this.environment
    const isPromised = kind !== 'next-current' && this.hasPromised(number) && kindOf(fs, path) === 'file'
    return isPromised || isOwnFile(fs, path)
  }

  private litter(grove: Grove): string[] {
    const { fs, directory } = this.environment
    const named = this.tables.numbers()
    const isLitter = ({ kind, number }: StoreFile): boolean =>
      (kind === 'table' && !named.has(number)) ||
      (kind === 'manifest' && number !== grove.manifest.number) ||
      kind === 'next-current'
    return storeFiles(fs, directory)
      .filter((file) => isLitter(file) && this.isOurs(file))
      .map(({ path }) => path)
  }

  /**
   * Finishes flushes, stops compactions, and lets go of every file and thread. `clean` says where the log ends; without it
   * the next opening treats the store like one that crashed.
   */
  close(clean?: CleanEnd): Promise<void> {
    this.closing ??=
      this.writing === undefined ? Promise.resolve(this.tables.closeAll()) : this.end(this.writing, clean)
    return this.closing
  }

  private async end({ grove, flushes, compactions }: Writing, clean: CleanEnd | undefined): Promise<void> {
    const { jobs, manifest } = grove
    const reason = new SiltstoneError('SILT_NOT_OPEN', 'The store is closed; open it again to use it')
    compactions.stop(reason)
    while (!flushes.isEmpty && !flushes.isStuck) await jobs.change()
    flushes.stop(reason)
    while (!manifest.isSettled || !jobs.isIdle || grove.hasLitter) await jobs.change()
    grove.close()
    await jobs.close()
    try {
      // A session that wrote nothing leaves the end of the last one standing.
      if (clean !== undefined && manifest.state.clean === null) await grove.commitEnd(clean)
    } finally {
      this.tables.closeAll()
      manifest.close()
    }
  }

  private get writer(): Writing {
    assert(this.writing !== undefined, 'a forest opened to read is not written to')
    return this.writing
  }

  private plant(record: TreeRecord, metas: readonly TableMeta[]): Tree {
    const tree = new Tree(record, metas, this.tables, () => this.scheduleCompactions())
    this.treesById.set(record.id, tree)
    return tree
  }

  private startWriting(lease: NumberLease, makeManifest: (parts: ManifestEnvironment) => Manifest): void {
    const { fs, directory, clock, options, executor, verifyLock } = this.environment
    const { blockBytes, restartInterval, filterBitsPerKey } = options
    const layout = { blockBytes, restartInterval, filterBitsPerKey }
    const context: JobContext = { fs, directory, layout, fileNumbers: lease.counter }
    const manifest = makeManifest({
      fs,
      directory,
      now: () => clock.now(),
      takeNumber: () => lease.takeFile(),
      ...(verifyLock && { verifyLock }),
      onFailed: (error) => this.onFailed(error),
    })
    const grove = new Grove({
      directory,
      clock,
      manifest,
      lease,
      jobs: new Jobs(
        executorFor(executor, context, clock, () => this.sweepLater()),
        clock,
        directory,
      ),
      trees: this.treesById,
      pins: () => this.environment.pins(),
      onChange: () => this.environment.onChange(),
    })
    const flushes = new FlushQueue(grove, () => this.scheduleCompactions())
    this.writing = { grove, flushes, compactions: new CompactionScheduler(grove, options) }
  }

  private onFailed(error: SiltstoneError): void {
    this.writing?.flushes.stop(error)
    this.writing?.compactions.stop(error)
    this.environment.onFatal(error)
  }
}

interface FoundFile extends StoreFile {
  readonly path: string
}

function storeFiles(fs: FileSystem, directory: string): FoundFile[] {
  return fs.listSync(directory).flatMap((name) => {
    const file = parseStoreFile(name)
    return file === undefined ? [] : [{ ...file, path: `${directory}/${name}` }]
  })
}

function removeNextCurrents({ fs, directory, verifyLock }: ForestEnvironment): void {
  const found = storeFiles(fs, directory)
  verifyLock?.()
  for (const { kind, path } of found) if (kind === 'next-current' && isOwnFile(fs, path)) fs.removeSync(path)
}

/** Above every number from `least` on that a file of a store has: somebody's 20240131.log does not count. */
function firstFreeNumber(fs: FileSystem, files: readonly FoundFile[], least: FileNumber): FileNumber {
  return files
    .filter(({ number, path }) => number >= least && isOwnFile(fs, path))
    .reduce((next, { number }) => Math.max(next, number + 1), least)
}

/** One listing at open tells of a missing table, which otherwise the first read of it would, days later perhaps. */
function requireTables(directory: string, state: ManifestState, files: readonly FoundFile[]): void {
  const present = new Set(files.filter(({ kind }) => kind === 'table').map(({ number }) => number))
  for (const number of state.tables.keys()) {
    if (!present.has(number)) throw missingTable(`${directory}/${tableName(number)}`)
  }
}

function isMissingFile(error: unknown): boolean {
  for (let at = error as { code?: unknown; cause?: unknown } | undefined; at != null; at = at.cause as typeof at) {
    if (at.code === 'ENOENT') return true
  }
  return false
}

/** 48 random bits: two stores are mixed up by accident once in a trillion. */
export function randomStoreId(fs: FileSystem): number {
  const bytes = randomBytes(fs, 6)
  return getU32(bytes, 0) + getU16(bytes, 4) * TWO_32 + 1
}
