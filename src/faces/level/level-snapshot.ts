import { AbstractSnapshot } from 'abstract-level'
import type { Snapshot } from '../../store/snapshot.js'

/** What the base class takes; its types leave it out. */
interface SnapshotOptions {
  /** The database or sublevel whose closing closes the snapshot. */
  readonly owner: unknown
}

const Base = AbstractSnapshot as unknown as new (options: SnapshotOptions) => AbstractSnapshot

let pointBelow: (snapshot: LevelSnapshot) => Snapshot<Buffer, Buffer>

/** Where reads with a snapshot read. */
export function pointOf(snapshot: LevelSnapshot): Snapshot<Buffer, Buffer> {
  return pointBelow(snapshot)
}

/** A snapshot as Level counts and closes it. */
export class LevelSnapshot extends Base {
  readonly #point: Snapshot<Buffer, Buffer>

  static {
    pointBelow = (snapshot) => snapshot.#point
  }

  constructor(point: Snapshot<Buffer, Buffer>, options: SnapshotOptions) {
    super(options)
    this.#point = point
  }

  protected async _close(): Promise<void> {
    this.#point.close()
  }
}
