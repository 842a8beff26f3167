import { invalid } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import { describe, type Encoding } from './encoding.js'
import type { Engine } from './engine.js'
import type { Keyspace } from './keyspace.js'
import { notOpen, Reader, type ReadPoint } from './reader.js'
import type { TreeState } from './tree-state.js'

/** The pin that a snapshot and its views of other keyspaces share. */
class SnapshotPin implements ReadPoint {
  readonly engine: Engine
  readonly position: Position
  private open = true

  constructor(engine: Engine) {
    this.engine = engine
    this.position = engine.visible
    engine.pins.add(this.position)
    engine.scans.add(this)
  }

  positionIn(engine: Engine): Position {
    if (engine !== this.engine) throw invalid('The snapshot belongs to another store')
    if (!this.open) throw notOpen('snapshot')
    return this.position
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.engine.scans.delete(this)
    if (this.engine.pins.remove(this.position)) this.engine.onUnpinned()
  }
}

/**
 * A keyspace as it was when the snapshot was made, whatever is written meanwhile. Only an expired key is gone here too.
 *
 * @example
 * using snapshot = db.snapshot()
 * await db.put('a', '2')
 * await snapshot.get('a') // what it was before
 */
export class Snapshot<K = string, V = string> extends Reader<K, V> implements ReadPoint {
  private readonly pin: SnapshotPin

  /** @internal Snapshots come from `db.snapshot()`. */
  constructor(
    engine: Engine,
    state: TreeState,
    keyEncoding: Encoding<K>,
    valueEncoding: Encoding<V>,
    pin = new SnapshotPin(engine),
  ) {
    super(engine, state, keyEncoding, valueEncoding)
    this.pin = pin
  }

  /** The position of the commit log at which it reads: everything before it is seen. */
  get position(): Position {
    return this.pin.position
  }

  /** Another keyspace at the same moment. */
  keyspace<K2, V2>(keyspace: Keyspace<K2, V2>): Snapshot<K2, V2> {
    if (keyspace?.engine === undefined) {
      throw invalid(`A snapshot takes what db.keyspace() returned, not ${describe(keyspace)}`)
    }
    this.pin.positionIn(keyspace.engine)
    return new Snapshot(this.engine, keyspace.state, keyspace.keyEncoding, keyspace.valueEncoding, this.pin)
  }

  /** Lets go of what only this snapshot still sees; twice is once. Views of other keyspaces end with it. */
  close(): void {
    this.pin.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  positionIn(engine: Engine): Position {
    return this.pin.positionIn(engine)
  }

  protected readPosition(): Position {
    return this.pin.positionIn(this.engine)
  }
}
