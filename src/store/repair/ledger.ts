import type { FileSystem } from '../../fs/file-system.js'
import { lostPath } from '../lost-folder.js'

/** A file whose content is in the store after a repair, as it is or in other files. */
export interface KeptFile {
  /** Its name before the repair, in the directory of the store. */
  readonly file: string
  /** What became of it. */
  readonly what: string
  /** Where the original is now, in the directory of the store; absent where it stays in its place. */
  readonly movedTo?: string
}

/** A file of whose content something is not in the store after a repair. One of which a part was saved is kept and lost. */
export interface LostFile {
  /** Its name before the repair, in the directory of the store. */
  readonly file: string
  /** Why something of it is lost. */
  readonly reason: string
  /** Where in the file the damage begins. */
  readonly offset?: number
  /** Where the original is now; absent where it stays in its place. */
  readonly movedTo?: string
}

/** What `repair` found and did, file by file. */
export interface RepairReport {
  /** Files whose content is in the store. */
  readonly kept: readonly KeptFile[]
  /** Files of which something is not. */
  readonly lost: readonly LostFile[]
}

/** Books what becomes of every file. Nothing is moved before all is settled, so a rehearsal writes the same into it. */
export class Ledger {
  private readonly fs: FileSystem
  private readonly directory: string
  private readonly kept: KeptFile[] = []
  private readonly lost: LostFile[] = []
  private readonly aside = new Map<string, string>()

  constructor(fs: FileSystem, directory: string) {
    this.fs = fs
    this.directory = directory
  }

  /** Names of the files that are to be put aside, and where to. */
  get moves(): ReadonlyMap<string, string> {
    return this.aside
  }

  /** The file stays where it is. */
  keep(file: string, what: string): void {
    this.kept.push({ file, what })
  }

  /** The content stays, the file goes. */
  replace(file: string, what: string): void {
    this.kept.push({ file, what, ...this.putAside(file) })
  }

  /** Something of the file, or all of it, cannot be had any more. */
  lose(file: string, reason: string, offset?: number): void {
    this.lost.push({ file, reason, ...(offset === undefined ? {} : { offset }), ...this.putAside(file) })
  }

  report(): RepairReport {
    const byFile = (a: { file: string }, b: { file: string }): number =>
      a.file < b.file ? -1 : a.file > b.file ? 1 : 0
    return { kept: this.kept.sort(byFile), lost: this.lost.sort(byFile) }
  }

  private putAside(file: string): { movedTo?: string } {
    if (this.fs.statusSync(`${this.directory}/${file}`) === undefined) return {}
    const path = this.aside.get(file) ?? lostPath(this.fs, this.directory, file)
    this.aside.set(file, path)
    return { movedTo: path.slice(this.directory.length + 1) }
  }
}
