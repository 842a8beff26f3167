import type { CompressionName } from '../bytes/compression.js'
import type { Cursor } from '../bytes/cursor.js'
import { ioError } from '../bytes/errors.js'
import type { RangeTombstones } from '../bytes/range-tombstones.js'
import type { EpochMs, FileNumber, TreeId } from '../bytes/units.js'
import type { FileHandle } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { KIND_DELETE } from '../log/operation.js'
import { TableWriter } from '../table/table-writer.js'
import { tableName } from './file-names.js'
import type { JobContext } from './job.js'
import { endsAtOrBefore } from './key-range.js'
import { takeFileNumber } from './lease.js'
import { type TableMeta, tableMeta } from './table-meta.js'
import type { TableOrigin } from './table-origin.js'
import { GRANDPARENT_OVERLAP_BYTES } from './tuning.js'

export interface OutputPlan {
  readonly tree: TreeId
  readonly level: number
  readonly compression: CompressionName
  readonly createdAt: EpochMs
  readonly tableBytes: number
  readonly grandparents: readonly TableMeta[]
  /** Stored in the tables, beside what only their job as a whole can say. */
  readonly origin: TableOrigin
  /** Tables whose place these take. */
  readonly replaces: readonly FileNumber[]
  /** Tables whose place others took before. */
  readonly retired: readonly FileNumber[]
}

/**
 * The tables that a job writes: one sorted run, cut into files.
 *
 * A cut is made only where a new key begins, and the range tombstones are cut at the same keys. So the tables never overlap, and
 * all versions of a key and the tombstones over it stand in one of them.
 */
export class TableOutput {
  readonly tables: TableMeta[] = []
  bytesWritten = 0
  entriesWritten = 0
  private readonly context: JobContext
  private readonly plan: OutputPlan
  private readonly tombstones: RangeTombstones
  private readonly paths: string[] = []
  private readonly numbers: FileNumber[] = []
  private file: FileHandle | undefined
  private writer: TableWriter | undefined
  /** Where the run was cut last; the tombstones from here on are still to be written. */
  private cutAt: Uint8Array | undefined
  private heldCount = 0
  /** Of the tables that are finished. */
  private heldBefore = 0
  private grandparent = 0
  private grandparentBytes = 0

  constructor(context: JobContext, plan: OutputPlan, tombstones: RangeTombstones) {
    this.context = context
    this.plan = plan
    this.tombstones = tombstones
  }

  /** Adds the version under the cursor as `kind`. `heldCount` counts all versions so far that only a pin kept. */
  add(cursor: Cursor, kind: number, isNewKey: boolean, heldCount: number): void {
    const { keyBytes, keyStart, keyEnd, valueStart } = cursor
    if (isNewKey && this.isCutDue(keyBytes, keyStart, keyEnd)) this.cut(keyBytes.slice(keyStart, keyEnd))
    const writer = this.writer ?? this.open()
    // An expired entry that became a deletion leaves its value behind.
    const isDeletion = kind === KIND_DELETE
    const valueEnd = isDeletion ? valueStart : cursor.valueEnd
    const expiresAt = isDeletion ? 0 : cursor.expiresAt
    writer.add(keyBytes, keyStart, keyEnd, kind, cursor.position, expiresAt, cursor.valueBytes, valueStart, valueEnd)
    this.entriesWritten++
    this.heldCount = heldCount
  }

  /** Writes what is left. The tables are on disk then, and their names once the directory is synced. */
  finish(): void {
    const rest = this.tombstones.clip(this.cutAt, undefined)
    if (rest.size > 0) this.writer ??= this.open()
    this.finishTable(rest, true)
  }

  /** Removes every file of the job. */
  abandon(): void {
    letGo(this.file)
    for (const path of this.paths) {
      try {
        this.context.fs.removeSync(path)
      } catch {
        // It stays as a file that no manifest names, which the next open removes.
      }
    }
  }

  private isCutDue(key: Uint8Array, keyStart: number, keyEnd: number): boolean {
    const { writer, plan } = this
    const { grandparents } = plan
    while (
      this.grandparent < grandparents.length &&
      endsAtOrBefore(grandparents[this.grandparent]!, key, keyStart, keyEnd)
    ) {
      this.grandparentBytes += grandparents[this.grandparent++]!.bytes
    }
    if (writer === undefined) {
      this.grandparentBytes = 0
      return false
    }
    return writer.estimatedBytes >= plan.tableBytes || this.grandparentBytes >= GRANDPARENT_OVERLAP_BYTES
  }

  private cut(key: Uint8Array): void {
    this.finishTable(this.tombstones.clip(this.cutAt, key), false)
    this.cutAt = key
    this.grandparentBytes = 0
  }

  private open(): TableWriter {
    const { fs, directory, fileNumbers, layout } = this.context
    const { tree, level, compression, createdAt, origin } = this.plan
    const fileNumber = takeFileNumber(fileNumbers)
    const path = `${directory}/${tableName(fileNumber)}`
    try {
      this.file = fs.openSync(path, 'create')
    } catch (error) {
      throw ioError(error, 'create', path)
    }
    this.paths.push(path)
    this.numbers.push(fileNumber)
    this.writer = new TableWriter(this.file, {
      ...layout,
      fileNumber,
      tree,
      level,
      compression,
      createdAt,
      origin: { ...origin },
    })
    return this.writer
  }

  private finishTable(tombstones: RangeTombstones, isLast: boolean): void {
    const { writer } = this
    if (writer === undefined) return
    writer.addRangeTombstones(tombstones)
    const { fileBytes, properties } = writer.finish(this.place(isLast))
    letGo(this.file)
    this.file = undefined
    this.writer = undefined
    this.tables.push(tableMeta(properties, fileBytes, this.heldCount - this.heldBefore))
    this.heldBefore = this.heldCount
    this.bytesWritten += fileBytes
  }

  /** What the table being finished says about the others of its job. */
  private place(isLast: boolean): Readonly<Record<string, unknown>> {
    const { numbers } = this
    const { replaces, retired } = this.plan
    return {
      run: numbers[0],
      ...((numbers.length === 1 || isLast) && { replaces, retired }),
      ...(isLast && { outputs: numbers }),
    }
  }
}
