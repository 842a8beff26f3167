import { mkdirSync } from 'node:fs'
import type { Dataset } from '../dataset.js'
import { untilStill } from '../directory.js'
import type { LibraryPeer, Store } from '../peers/peer.js'
import type { Durability, Reading } from '../sample.js'

/** One row, or a few, of the table: something that is done to a store and timed. */
export interface Workload {
  readonly title: string
  /** Those after it need what it leaves behind: it runs also when nobody asked for its numbers. */
  readonly fills?: boolean
  /** Runs on the store as the workloads before it have left it. No readings: the store has no call for it. */
  run(stage: Stage): Promise<readonly Reading[]>
}

/** Workloads that run one after the other on one store, in a process of its own. */
export interface Scenario {
  readonly name: string
  readonly durability: Durability
  /** Keys, as a multiple of what was asked for (default 1). */
  readonly keysTimes?: number
  /** Too long for a quick run. */
  readonly onlyFull?: boolean
  /** So long that one round must do, and the seconds of a workload are meant for it. */
  readonly once?: boolean
  /** Whether the peak memory of its process is a row of its own. */
  readonly reportsMemory?: boolean
  readonly workloads: readonly Workload[]
}

/** How far a workload goes that need not go through all keys: up to so many operations or so many seconds. */
export interface Pace {
  readonly operations: number
  readonly seconds: number
  /** A fill that takes longer is given up. */
  readonly fillSeconds: number
  /** How long files must lie still to count as settled. */
  readonly stillMs: number
}

/** What a workload has before it: an open store, the keys for it, and how far to go. */
export class Stage {
  readonly data: Dataset
  readonly pace: Pace
  readonly directory: string
  private readonly peer: LibraryPeer
  private readonly durability: Durability
  private current: Store | undefined

  constructor(peer: LibraryPeer, directory: string, durability: Durability, data: Dataset, pace: Pace) {
    this.peer = peer
    this.directory = directory
    this.durability = durability
    this.data = data
    this.pace = pace
  }

  /** Requires: it is open. */
  get store(): Store {
    return this.current!
  }

  async open(): Promise<void> {
    mkdirSync(this.directory, { recursive: true })
    this.current = await this.peer.open(this.directory, this.durability)
  }

  async close(): Promise<void> {
    await this.current?.close()
    this.current = undefined
  }

  /** How many operations a workload does at most. */
  get operations(): number {
    return Math.min(this.data.size, this.pace.operations)
  }

  /** Resolves when flushes and compactions are done, as far as that can be known. */
  async settle(): Promise<void> {
    await this.store.settle?.()
    await untilStill(this.directory, this.pace.stillMs, this.pace.fillSeconds * 1000)
  }
}
