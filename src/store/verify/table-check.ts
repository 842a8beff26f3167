import { isDeepStrictEqual } from 'node:util'
import type { FileNumber } from '../../bytes/units.js'
import type { FileSystem } from '../../fs/file-system.js'
import { BlockCache } from '../../table/block-cache.js'
import { Table } from '../../table/table.js'
import { TableFiles } from '../../table/table-files.js'
import { tableName } from '../../tree/file-names.js'
import { type TableMeta, tableMeta } from '../../tree/table-meta.js'
import type { Verification } from './verification.js'

/**
 * Reads tables from the disk, whatever of them is cached or open elsewhere, and holds each to itself and to what the manifest
 * says of it.
 */
export class TableCheck {
  private readonly verification: Verification
  private readonly fs: FileSystem
  private readonly directory: string
  private readonly files: TableFiles
  // Holds the top of one index at a time; everything else passes it by.
  private readonly cache = new BlockCache(0)

  constructor(verification: Verification, fs: FileSystem, directory: string) {
    this.verification = verification
    this.fs = fs
    this.directory = directory
    this.files = new TableFiles(fs, { maxOpenFiles: 1 })
  }

  /** `meta` is absent where no manifest could be read. `wasReplaced` says whether a missing table is missing rightly. */
  async check(number: FileNumber, meta?: TableMeta, wasReplaced: () => boolean = () => false): Promise<void> {
    const path = `${this.directory}/${tableName(number)}`
    const { verification } = this
    const table = await this.open(path, number, wasReplaced)
    if (table === undefined) return
    verification.checked++
    try {
      if (meta !== undefined) this.compare(path, table, meta)
      const audit = table.verifySteps()
      for (;;) {
        const step = audit.next()
        if (step.done === true) {
          verification.findings.push(...step.value)
          return
        }
        const { offset, bytes } = step.value
        await table.file.bring(offset, bytes)
        await verification.breathe()
      }
    } finally {
      table.close()
    }
  }

  private async open(path: string, number: FileNumber, wasReplaced: () => boolean): Promise<Table | undefined> {
    try {
      return await Table.openInPool(this.files, this.cache, path, number)
    } catch (error) {
      if (this.fs.statusSync(path) !== undefined) this.verification.addError(path, error)
      else if (!wasReplaced()) this.verification.add(path, 'the manifest names it, but it is not there')
      return undefined
    }
  }

  private compare(path: string, { properties, fileBytes }: Table, meta: TableMeta): void {
    // A table may have been moved to another level since it was written, and only its job knew what pins held.
    const found: TableMeta = { ...tableMeta(properties, fileBytes, meta.heldCount), level: meta.level }
    for (const name of Object.keys(found) as (keyof TableMeta)[]) {
      if (isDeepStrictEqual(found[name], meta[name])) continue
      this.verification.add(path, `its ${name} is ${shown(found[name])}, the manifest says ${shown(meta[name])}`)
    }
  }
}

function shown(value: unknown): string {
  return value instanceof Uint8Array ? `0x${Buffer.from(value).toString('hex')}` : String(value)
}
