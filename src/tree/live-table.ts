import { corruption, SiltstoneError } from '../bytes/errors.js'
import type { FileNumber, TreeId } from '../bytes/units.js'
import type { FileSystem } from '../fs/file-system.js'
import type { BlockCache } from '../table/block-cache.js'
import { BlockNotResident } from '../table/block-not-resident.js'
import { whenResident } from '../table/rounds.js'
import { Table } from '../table/table.js'
import type { TableFiles } from '../table/table-files.js'
import { tableName } from './file-names.js'
import type { KeyRange } from './key-range.js'
import { differenceFrom, type TableMeta } from './table-meta.js'

/** The place in a table's file that stands for all that is read when it is opened. */
const NO_BLOCK = -1

/** What tables are opened with. */
export interface TableSource {
  readonly fs: FileSystem
  readonly directory: string
  readonly files: TableFiles
  readonly cache: BlockCache
}

/** A table that some version of a tree still names. It is opened when it is first read. */
export class LiveTable implements KeyRange {
  readonly number: FileNumber
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
  readonly hasRangeTombstones: boolean
  /** Replaced when the table moves to another level as it is. */
  meta: TableMeta
  /** Versions that name it. */
  references = 0
  private readonly source: TableSource
  private opened: Table | undefined
  private opening: Promise<void> | undefined
  private isClosed = false

  constructor(meta: TableMeta, source: TableSource) {
    this.number = meta.number
    this.start = meta.start
    this.end = meta.end
    this.hasRangeTombstones = meta.rangeTombstoneCount > 0
    this.meta = meta
    this.source = source
  }

  get path(): string {
    return `${this.source.directory}/${tableName(this.number)}`
  }

  /** Throws `BlockNotResident` where it is not open yet and opening it would make this thread wait that must not. */
  get table(): Table {
    return this.opened ?? this.open()
  }

  /** Twice is once. */
  close(): void {
    this.isClosed = true
    this.opened?.close()
    this.opened = undefined
  }

  private open(): Table {
    const { files, cache } = this.source
    if (!cache.mayReadHere) throw new BlockNotResident(this.number, NO_BLOCK, () => this.load())
    try {
      const table = Table.open(files, cache, this.path, this.number)
      this.requireOwn(table)
      this.opened = table
      return table
    } catch (error) {
      if (this.isMissing()) throw missingTable(this.path, error)
      throw error
    }
  }

  /** Closes a table that is not the one that the manifest speaks of. */
  private requireOwn(table: Table): void {
    const difference = differenceFrom(this.meta, table.properties, table.fileBytes)
    if (difference === undefined) return
    table.close()
    throw corruption(this.path, table.fileBytes, difference)
  }

  private load(): Promise<void> {
    this.opening ??= this.openInPool().finally(() => {
      this.opening = undefined
    })
    return this.opening
  }

  private async openInPool(): Promise<void> {
    const { files, cache } = this.source
    let table: Table
    try {
      table = await Table.openInPool(files, cache, this.path, this.number)
      this.requireOwn(table)
    } catch (error) {
      // Closed meanwhile, and perhaps removed: whoever waits finds the tables that have taken its place.
      if (this.isClosed) return
      if (this.isMissing()) throw missingTable(this.path, error)
      throw error
    }
    // Somebody who could not wait has opened it meanwhile, or nobody needs it any more.
    if (this.opened !== undefined || this.isClosed) table.close()
    else this.opened = table
  }

  private isMissing(): boolean {
    try {
      return this.source.fs.statusSync(this.path) === undefined
    } catch {
      return false
    }
  }
}

/** All tables that some version of some tree names. */
export class LiveTables {
  private readonly source: TableSource
  private readonly tables = new Set<LiveTable>()
  /** Called with the path of a table that no version names any more. */
  private readonly onObsolete: (path: string) => void

  constructor(source: TableSource, onObsolete: (path: string) => void) {
    this.source = source
    this.onObsolete = onObsolete
  }

  make(meta: TableMeta): LiveTable {
    const table = new LiveTable(meta, this.source)
    this.tables.add(table)
    return table
  }

  /** Forgets a table that no version names any more, and whose file may go. */
  readonly dispose = (table: LiveTable): void => {
    if (!this.tables.delete(table)) return
    table.close()
    this.onObsolete(table.path)
  }

  numbers(): Set<FileNumber> {
    return new Set([...this.tables].map((table) => table.number))
  }

  /** Those of one tree. */
  of(tree: TreeId): LiveTable[] {
    return [...this.tables].filter((table) => table.meta.tree === tree)
  }

  /** Opens every table, so that all of them can be read whatever becomes of their names. */
  async openAll(): Promise<void> {
    const { cache } = this.source
    for (const live of this.tables) {
      await whenResident(cache, () => live.table)
      await live.table.file.openInPool()
    }
  }

  /** Closes every table and keeps every file; versions that are released later remove nothing. */
  closeAll(): void {
    for (const table of this.tables) table.close()
    this.tables.clear()
  }
}

export function missingTable(path: string, cause?: unknown): SiltstoneError {
  return new SiltstoneError(
    'SILT_CORRUPTION',
    `${path} is missing though the manifest names it; repair() rebuilds the store from what is left`,
    { file: path, ...(cause === undefined ? {} : { cause }) },
  )
}
