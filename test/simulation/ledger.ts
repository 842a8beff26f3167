import { expect } from 'vitest'
import type { Database } from '../../src/index.js'
import { CURRENT, parseStoreFile } from '../../src/tree/file-names.js'
import type { SimulatedDisk } from './simulated-disk.js'

/**
 * The file numbers and log positions that a store has used over all its lives. None may be used again, not even where a loss
 * of power has erased what used it: blocks and records are told apart from older ones by these numbers alone.
 */
export class Ledger {
  private readonly names = new Set<string>()
  private readonly repeated: string[] = []
  private usedUpTo = 0
  private session: Database | undefined

  /** Watches the files that are made on a disk. What was to become a store, but has no CURRENT, is made anew from number one. */
  watch(disk: SimulatedDisk): void {
    if (![...disk.snapshotFiles().keys()].some((path) => path.endsWith(`/${CURRENT}`))) this.names.clear()
    let manifest = ''
    let last = ''
    disk.onCall = ({ kind, path, detail }) => {
      const name = path.slice(path.lastIndexOf('/') + 1)
      const file = parseStoreFile(name)
      if (kind === 'rename' && file?.kind === 'next-current') this.names.add(manifest)
      if (kind !== 'open' || detail !== 'create' || (file?.number ?? 0) === 0 || file?.kind === 'next-current') return
      // A manifest has used its number once CURRENT is to name it. Before that it holds one edit and is nobody's.
      if (name.startsWith('MANIFEST')) manifest = name
      // An error thrown from here the store would take for one of the disk; `settle` says it.
      // Without a descriptor left nothing was made, and it is tried again when others were closed; made twice it would be refused.
      if (this.names.has(name) && name !== last) this.repeated.push(name)
      last = name
      if (name !== manifest) this.names.add(name)
    }
  }

  /** A session begins to write: behind everything that any session has written. */
  begin(db: Database): void {
    this.settle()
    expect(db.engine.log!.end, 'the position at which a session begins').toBeGreaterThanOrEqual(this.usedUpTo)
    this.session = db
  }

  /** The session is over, however it ended. */
  settle(): void {
    expect(this.repeated, 'file names that were used twice').toEqual([])
    this.usedUpTo = Math.max(this.usedUpTo, this.session?.engine.log?.end ?? 0)
    this.session = undefined
  }
}
