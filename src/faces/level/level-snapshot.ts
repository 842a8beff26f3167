import { AbstractSnapshot } from 'abstract-level'
import type { Snapshot } from '../../store/snapshot.js'

/** What the base class takes; its types leave it out. */
interface SnapshotOptions {
  /** The database or sublevel whose closing closes the snapshot. */
  readonly owner: unknown
}

const Base = AbstractSnapshot as unknown as new (options: SnapshotOptions) => AbstractSnapshot

/** A snapshot as Level counts and closes it. */
export class LevelSnapshot extends Base {
  /** Where reads with this snapshot read. @internal */
  readonly point: Snapshot<Buffer, Buffer>

  constructor(point: Snapshot<Buffer, Buffer>, options: SnapshotOptions) {
    super(options)
    this.point = point
  }

  protected async _close(): Promise<void> {
    this.point.close()
  }
}
