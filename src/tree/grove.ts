import type { Clock } from '../bytes/clock.js'
import { endsWriting } from '../bytes/errors.js'
import type { FileNumber, Position, TreeId } from '../bytes/units.js'
import { tableName } from './file-names.js'
import type { Jobs } from './jobs.js'
import type { NumberLease } from './lease.js'
import type { Manifest } from './manifest.js'
import type { CleanEnd, ManifestEdit } from './manifest-state.js'
import type { TableMeta } from './table-meta.js'
import type { Tree } from './tree.js'

export interface GroveParts {
  readonly directory: string
  readonly clock: Clock
  readonly manifest: Manifest
  readonly lease: NumberLease
  readonly jobs: Jobs
  readonly trees: ReadonlyMap<TreeId, Tree>
  /** The positions at which snapshots and scans read, ascending. */
  pins(): readonly Position[]
  /** Tables have changed. */
  onChange(): void
}

/**
 * Where flushing and compacting meet: the trees of a store that is written to, the manifest that has to know of every change
 * before it is made, and the jobs that prepare it.
 */
export class Grove {
  readonly clock: Clock
  readonly manifest: Manifest
  readonly lease: NumberLease
  readonly jobs: Jobs
  readonly trees: ReadonlyMap<TreeId, Tree>
  private readonly directory: string
  private readonly parts: GroveParts
  /** Trees, or their new options, that no edit on disk knows yet; the commit log does. */
  private readonly unrecorded = new Set<Tree>()
  private readonly obsolete: string[] = []
  /** A lease that is on its way to the disk. */
  private leasing: Promise<void> | undefined
  private closed = false

  constructor(parts: GroveParts) {
    this.parts = parts
    this.clock = parts.clock
    this.manifest = parts.manifest
    this.lease = parts.lease
    this.jobs = parts.jobs
    this.trees = parts.trees
    this.directory = parts.directory
  }

  tree(id: TreeId): Tree {
    return this.trees.get(id)!
  }

  pins(): readonly Position[] {
    return this.parts.pins()
  }

  /** The next edit carries the tree. */
  recordTree(tree: Tree): void {
    this.unrecorded.add(tree)
  }

  /**
   * Writes an edit, and changes the trees in the turn in which it is on disk; `installed` is called in that turn, behind
   * the change.
   */
  commit(edit: ManifestEdit, installed: () => void, refused: (error: unknown) => void): void {
    const complete = this.completed(edit, 0)
    this.manifest.submit(
      complete,
      () => {
        this.install(complete)
        installed()
        this.parts.onChange()
        this.jobs.changed()
      },
      (error) => {
        this.withdraw(complete)
        refused(error)
        this.jobs.changed()
      },
    )
  }

  /** Makes sure that files with the numbers drawn so far, and those that a job will draw, may exist. */
  coverFiles(): void {
    if (!this.lease.coversFiles()) this.renewLease(0)
  }

  /** Makes positions up to this one usable; durably when what it returns resolves, and at once where that is nothing. */
  leasePositions(upTo: Position, mayWait: boolean): Promise<void> | undefined {
    // A session that follows a clean end says before its first write that the end is not the end any more.
    const isSaid = this.manifest.state.clean === null
    if (isSaid && this.lease.coversPositions(upTo)) return undefined
    if (!mayWait && isSaid && this.leasing !== undefined && this.lease.asksForPositions(upTo)) return this.leasing
    // Refused later on, it would be missed by what relies on it and is written by then.
    if (mayWait || !this.manifest.takesEdits) this.renewLease(upTo)
    else return this.renewLeaseInPool(upTo)
    return undefined
  }

  /** Asks for positions before they are needed, without any wait; what fails is tried again when they are. */
  leaseAhead(upTo: Position): void {
    if (this.lease.asksForPositions(upTo) || !this.manifest.takesEdits) return
    try {
      this.renewLeaseInPool(upTo).catch(() => {})
    } catch {
      // See above.
    }
  }

  /** Segments before this one are not needed any more, durably: they hold nothing. */
  skipLog(logFrom: FileNumber): void {
    const edit = { ...this.completed({}, 0), logFrom }
    this.manifest.commitSync(edit)
    this.install(edit)
  }

  /** The last edit of a session that ends in order: all that was leased and not used is given back. */
  commitEnd(clean: CleanEnd): Promise<void> {
    const lease = { files: this.lease.nextFile, positions: clean.end }
    const edit = { ...this.completed({}, 0), clean, lease }
    return new Promise((resolve, reject) => this.manifest.submit(edit, resolve, reject))
  }

  /** Removes the tables of a refused edit, unless it is open whether the edit is on disk, or whoever has the store now goes by it. */
  removeRefused(tables: readonly TableMeta[], error: unknown): void {
    if (endsWriting(error)) return
    for (const { number } of tables) this.removeLater(`${this.directory}/${tableName(number)}`)
  }

  /** Removes a file that nothing names any more, together with others of this turn. */
  removeLater(path: string): void {
    if (this.closed) return
    this.obsolete.push(path)
    if (this.obsolete.length === 1) queueMicrotask(() => this.removeObsolete())
  }

  /** Files are about to be removed. */
  get hasLitter(): boolean {
    return this.obsolete.length > 0
  }

  /** What is not removed by now is left to the next opening. */
  close(): void {
    this.closed = true
    this.obsolete.length = 0
  }

  private removeObsolete(): void {
    const paths = this.obsolete.splice(0)
    if (paths.length === 0) return
    const ignore = (): void => undefined
    // What cannot be removed takes space until the next opening tries again; nothing else depends on it.
    this.jobs.run(`removal of ${paths.length} files`, (id) => ({ kind: 'removal', id, paths }), ignore, ignore)
  }

  /** Throws where the edit cannot be written. */
  private renewLeaseInPool(upTo: Position): Promise<void> {
    const edit = this.completed({}, upTo)
    let refusal: { error: unknown } | undefined
    const leasing = new Promise<void>((resolve, reject) => {
      this.manifest.submit(
        edit,
        () => {
          this.install(edit)
          resolve()
          this.jobs.changed()
        },
        (error) => {
          this.withdraw(edit)
          refusal = { error }
          reject(error)
          this.jobs.changed()
        },
      )
    })
    const done = (): void => {
      if (this.leasing === leasing) this.leasing = undefined
    }
    leasing.then(done, done)
    if (refusal !== undefined) throw refusal.error
    this.leasing = leasing
    return leasing
  }

  private renewLease(upTo: Position): void {
    const edit = this.completed({}, upTo)
    try {
      this.manifest.commitSync(edit)
    } catch (error) {
      this.withdraw(edit)
      throw error
    }
    this.install(edit)
  }

  /** The edit, and what every edit takes along: new trees, and a lease where the old one runs out. */
  private completed(edit: ManifestEdit, positions: Position): ManifestEdit {
    const lease = this.lease.renewal(positions)
    const trees = [...this.unrecorded].map(({ id, name, options }) => ({ id, name, options }))
    return { ...edit, ...(trees.length > 0 && { trees }), ...(lease && { lease }) }
  }

  private install({ add = [], drop = [], move = [], trees = [], lease }: ManifestEdit): void {
    if (lease !== undefined) this.lease.grant(lease)
    for (const { id, options } of trees) {
      const tree = this.tree(id)
      if (tree.options === options) this.unrecorded.delete(tree)
    }
    const dropped = new Set<FileNumber>(drop)
    const moved = new Map(move.map(({ number, level }) => [number, level]))
    const addedTo = new Map<TreeId, TableMeta[]>()
    for (const table of add) {
      const present = addedTo.get(table.tree)
      if (present === undefined) addedTo.set(table.tree, [table])
      else present.push(table)
    }
    for (const tree of this.trees.values()) {
      const added = addedTo.get(tree.id) ?? []
      const isTouched = added.length > 0 || tree.holdsAny(dropped) || tree.holdsAny(moved)
      if (isTouched) tree.change({ add: added, drop: dropped, move: moved })
    }
  }

  private withdraw({ lease }: ManifestEdit): void {
    if (lease !== undefined) this.lease.withdraw()
  }
}
