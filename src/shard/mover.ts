import { setTimeout as delay } from 'node:timers/promises'
import { compareKeys } from '../bytes/compare.js'
import { type KeyRange, rangesOverlap, successor } from '../tree/key-range.js'
import { MergedScan } from './merged-scan.js'
import { SLICE, STEP_MOVED_BYTES, STEP_MOVED_KEYS, STEP_SCANNED_KEYS } from './mover-tuning.js'
import { Ownership } from './ownership.js'
import type { MoveProgress, OwnershipDirectory } from './ownership-directory.js'
import type { Row, ShardOperation } from './shard.js'
import type { ShardGroup } from './shard-group.js'

/*
 * Moves keys from where one placement has them to where another wants them, while everybody reads and writes.
 *
 * A frontier goes through all keys in order, keyspace by keyspace. What lies before it stands where the target says, what lies
 * beyond where the placement said before: there is one owner for each key at each moment, and two numbers' worth of state. A step
 * takes the frontier over a few hundred keys:
 *
 *   1. scan      what moves of the next keys, at one moment; from then on, writes to these keys are noted
 *   2. announce  the step's range is recorded: shards may hold copies there that are not theirs
 *   3. copy      to the new owners, synced
 *   4. switch    in one turn of the event loop, with everything issued before made visible: what was noted is copied again, the
 *                frontier is recorded, and ownership passes
 *   5. clean     the old owners delete what they no longer own, synced, before the next step is announced
 *
 * A crash before 4 leaves copies with the new owners, one after it leaves them with the old: either way in the announced range,
 * and whoever goes on deletes them there first. Readers never saw them: while keys move, scans leave out what its shard does not own.
 */

/** What a step has under way. */
interface Step {
  readonly space: string
  readonly from: Uint8Array
  /** Keys in the step's path that were written since its scan, by their bytes. */
  readonly noted: Map<string, Uint8Array>
  /** Ranges that were cleared: copies made there cannot be told from what must go, so the step starts again. */
  readonly cleared: KeyRange[]
}

/** A key that moves, and from where. */
interface MovingRow extends Row {
  readonly from: string
  readonly to: string
}

interface MovingKey {
  readonly key: Uint8Array
  readonly to: string
}

// Where nothing moves, as in most of a store of which one slot moves, a step goes so much farther: each ends with a sync.
const IDLE_STEPS = 8

interface Taken {
  readonly rows: readonly MovingRow[]
  readonly scanned: number
  /** The end of the step; `undefined`: the keyspace's. */
  readonly to: Uint8Array | undefined
}

const FIRST_KEY = new Uint8Array(0)

export interface MoverOptions {
  /** How many bytes a second are moved at most. */
  readonly bytesPerSecond: number
  /** Called after every step. */
  readonly onStep: (progress: MoveProgress) => void
}

export class Mover {
  private readonly group: ShardGroup
  private readonly directory: OwnershipDirectory
  /** Shards that are to be destroyed: nobody cleans up there. */
  private readonly leaving: ReadonlySet<string>
  private readonly options: MoverOptions
  private progress: MoveProgress
  private step: Step | undefined

  /** Requires: the group's ownership has a target, and the frontier of `progress`. */
  constructor(
    group: ShardGroup,
    directory: OwnershipDirectory,
    leaving: readonly string[],
    progress: MoveProgress | undefined,
    options: MoverOptions,
  ) {
    this.group = group
    this.directory = directory
    this.leaving = new Set(leaving)
    this.progress = progress ?? NO_PROGRESS
    this.options = options
  }

  /** Moves everything. At the end, in the turn in which nothing is left, `complete` is called; then its progress is returned. */
  async run(isStopped: () => boolean, complete: () => void): Promise<MoveProgress | undefined> {
    this.group.observer = (operations) => this.note(operations)
    try {
      await this.purge()
      for (;;) {
        if (isStopped()) return undefined
        const place = this.nextPlace()
        if (place === undefined) {
          complete()
          return this.progress
        }
        const startedAt = performance.now()
        const moved = await this.stepFrom(place.space, place.from)
        await this.pause(moved, performance.now() - startedAt)
      }
    } finally {
      this.group.observer = undefined
    }
  }

  /** The range-wise frontier as the next step's start: within a keyspace, or the first of the next one that exists by now. */
  private nextPlace(): { space: string; from: Uint8Array } | undefined {
    const { frontier } = this.group.ownership
    if (frontier?.upTo !== undefined) return { space: frontier.space, from: frontier.upTo }
    // What was issued may create a keyspace.
    this.group.drain()
    const space = this.group.spaces().find((each) => frontier === undefined || each > frontier.space)
    return space === undefined ? undefined : { space, from: FIRST_KEY }
  }

  /** Returns how many bytes were moved. */
  private async stepFrom(space: string, from: Uint8Array): Promise<number> {
    const step: Step = { space, from, noted: new Map(), cleared: [] }
    this.step = step
    try {
      const { rows, scanned, to } = await this.take(space, from)
      if (rows.length > 0) await this.copy(space, from, to, rows)
      if (step.cleared.some((range) => rangesOverlap(range, { start: from, end: to }))) {
        await this.purge()
        return 0
      }
      const moved = this.switchOver(step, to, rows, scanned)
      this.step = undefined
      await this.clean(moved)
      this.options.onStep(this.progress)
      return rows.reduce((sum, row) => sum + row.key.length + row.value.length, 0)
    } finally {
      this.step = undefined
    }
  }

  /** Scans, from the moment of the call, until enough keys that move have been found. */
  private async take(space: string, from: Uint8Array): Promise<Taken> {
    const { group } = this
    const { ownership } = group
    const query = {
      range: { start: from, end: undefined },
      reverse: false,
      limit: Number.POSITIVE_INFINITY,
      keysOnly: true,
    }
    group.drain()
    const parts = group.names().map((name) => ({ name, scan: group.shard(name).scan(space, query) }))
    const scan = new MergedScan(
      parts,
      query,
      (row, name) => ownership.ownerOf(space, row.key) === name,
      () => {},
    )
    const rows: MovingRow[] = []
    let scanned = 0
    let bytes = 0
    try {
      for (;;) {
        const slice = await scan.nextMany(SLICE)
        const moving = new Map<string, MovingKey[]>()
        for (const { key } of slice) {
          const way = ownership.destinationOf(key)
          if (way !== undefined) addTo(moving, way.from, { key, to: way.to })
        }
        // Only what moves is read. What is written to it from the scan on is noted, so newer values do no harm.
        for (const [from, keys] of moving) {
          const found = await group.shard(from).rows(
            space,
            keys.map(({ key }) => key),
          )
          for (const [i, row] of found.entries()) {
            if (row === undefined) continue
            rows.push({ ...row, from, to: keys[i]!.to })
            bytes += row.key.length + row.value.length
          }
        }
        scanned += slice.length
        if (slice.length < SLICE) return { rows, scanned, to: undefined }
        // Reads of hot data come back without a turn of the loop: others have theirs here.
        await new Promise((resolve) => setImmediate(resolve))
        const mostScanned = rows.length > 0 ? STEP_SCANNED_KEYS : STEP_SCANNED_KEYS * IDLE_STEPS
        const isEnough = rows.length >= STEP_MOVED_KEYS || bytes >= STEP_MOVED_BYTES || scanned >= mostScanned
        if (isEnough) return { rows, scanned, to: successor(slice.at(-1)!.key) }
      }
    } finally {
      scan.close()
    }
  }

  private async copy(
    space: string,
    from: Uint8Array,
    to: Uint8Array | undefined,
    rows: readonly MovingRow[],
  ): Promise<void> {
    this.progress = {
      ...this.progress,
      unclean: { space, from: written(from), to: to === undefined ? null : written(to) },
    }
    await this.directory.putProgress(this.progress)
    const byTarget = new Map<string, ShardOperation[]>()
    for (const row of rows) addTo(byTarget, row.to, { type: 'put', space, ...pick(row) })
    await this.writeAll(byTarget)
  }

  /** The one turn in which ownership passes. Returns, by old owner, what is to be deleted there. */
  private switchOver(
    step: Step,
    to: Uint8Array | undefined,
    rows: readonly MovingRow[],
    scanned: number,
  ): Map<string, ShardOperation[]> {
    const { group, directory } = this
    const { space } = step
    const { placement, target } = group.ownership
    group.drain()
    const left = new Map<string, ShardOperation[]>()
    for (const row of rows) addTo(left, row.from, { type: 'del', space, key: row.key })
    const again = new Map<string, ShardOperation[]>()
    for (const key of step.noted.values()) {
      const way = group.ownership.destinationOf(key)
      if (way === undefined || (to !== undefined && compareKeys(key, to) >= 0)) continue
      const row = group.shard(way.from).rowsSync(space, [key])[0]
      addTo(again, way.to, row === undefined ? { type: 'del', space, key } : { type: 'put', space, ...pick(row) })
      addTo(left, way.from, { type: 'del', space, key })
    }
    const unclean = { space, from: written(step.from), to: to === undefined ? null : written(to) }
    // Keys that are new since the scan: their range has to be announced before they are copied.
    if (again.size > 0 && rows.length === 0) directory.putProgressSync({ ...this.progress, unclean })
    for (const [name, operations] of again) group.shard(name).writeSync(operations, WHOLE)
    this.progress = {
      frontier: { space, upTo: to === undefined ? null : written(to) },
      unclean: left.size === 0 ? null : unclean,
      keysScanned: this.progress.keysScanned + scanned,
      keysMoved: this.progress.keysMoved + rows.length,
      bytesMoved: this.progress.bytesMoved + rows.reduce((sum, row) => sum + row.key.length + row.value.length, 0),
    }
    directory.putProgressSync(this.progress)
    group.own(new Ownership(placement, target, { space, upTo: to }))
    return left
  }

  private async clean(left: Map<string, ShardOperation[]>): Promise<void> {
    for (const name of this.leaving) left.delete(name)
    await this.writeAll(left)
  }

  /** Deletes, in the range that the last step announced, what stands with shards that do not own it. */
  private async purge(): Promise<void> {
    const { unclean } = this.progress
    if (unclean === null) return
    const { group } = this
    const { space } = unclean
    const end = unclean.to === null ? undefined : read(unclean.to)
    const query = {
      range: { start: read(unclean.from), end },
      reverse: false,
      limit: Number.POSITIVE_INFINITY,
      keysOnly: true,
    }
    for (const name of group.names()) {
      if (this.leaving.has(name)) continue
      const scan = group.shard(name).scan(space, query)
      try {
        for (let slice = await scan.nextMany(SLICE); slice.length > 0; slice = await scan.nextMany(SLICE)) {
          const strays = slice.filter(({ key }) => group.ownership.ownerOf(space, key) !== name)
          const operations = strays.map(({ key }) => ({ type: 'del' as const, space, key }))
          if (operations.length > 0) await group.shard(name).write(operations, WHOLE)
        }
      } finally {
        scan.close()
      }
    }
  }

  private note(operations: readonly ShardOperation[]): void {
    const { step } = this
    if (step === undefined) return
    for (const operation of operations) {
      const { space, key } = operation
      if (space !== step.space) continue
      if (operation.type === 'clear') step.cleared.push({ start: key, end: operation.end })
      else if (compareKeys(key, step.from) >= 0) step.noted.set(Buffer.from(key).toString('latin1'), key)
    }
  }

  private async writeAll(byShard: ReadonlyMap<string, ShardOperation[]>): Promise<void> {
    await Promise.all([...byShard].map(([name, operations]) => this.group.shard(name).write(operations, WHOLE)))
  }

  /** At least as long as the step took, so that half the time belongs to others, and as long as the rate demands. */
  private async pause(bytes: number, tookMs: number): Promise<void> {
    const { bytesPerSecond } = this.options
    if (bytesPerSecond === Number.POSITIVE_INFINITY) return void (await new Promise((resolve) => setImmediate(resolve)))
    await delay(Math.max(tookMs, (bytes / bytesPerSecond) * 1000 - tookMs))
  }
}

/** Parts of a step are synced, and a shard that is itself sharded takes them apart again. */
const WHOLE = { sync: true, atomic: false }

const NO_PROGRESS: MoveProgress = { frontier: null, unclean: null, keysScanned: 0, keysMoved: 0, bytesMoved: 0 }

function addTo<T>(map: Map<string, T[]>, name: string, value: T): void {
  const values = map.get(name)
  if (values === undefined) map.set(name, [value])
  else values.push(value)
}

function pick({ key, value, expiresAt }: Row): Row {
  return { key, value, expiresAt }
}

function written(key: Uint8Array): string {
  return Buffer.from(key).toString('base64')
}

export function read(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}
