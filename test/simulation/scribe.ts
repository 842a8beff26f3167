import { expect } from 'vitest'
import { type Database, type OpenOptions, open, SiltstoneError } from '../../src/index.js'
import { type Change, type Commit, type Content, History } from './history.js'
import { Ledger } from './ledger.js'
import { ManualClock } from './manual-clock.js'
import type { SimulatedDisk } from './simulated-disk.js'

export const STORE = '/store'

/** Where every session of one store begins in time. */
const EPOCH = 1_700_000_000_000

/** The disk crashed, so this session is over. */
export class SessionOver extends Error {}

/** What all sessions of one store have in common. */
export interface Past {
  readonly history: History
  readonly ledger: Ledger
  readonly options: OpenOptions
  /** How many values were made. */
  values: number
}

export function newPast(options: OpenOptions = {}): Past {
  return { history: new History(), ledger: new Ledger(), options, values: 0 }
}

interface WriteOptions {
  readonly sync?: boolean
  readonly ttl?: number
  readonly keyspace?: string
}

/**
 * Writes to a store and keeps account of what the store has promised. One scribe is one life of a process: it ends with `close`
 * or with the crash of the disk, and then every call throws `SessionOver`.
 *
 * Time moves with the turns of the event loop and with nothing else, so that a session is the same whenever it is run.
 */
export class Scribe {
  readonly disk: SimulatedDisk
  readonly past: Past
  readonly clock: ManualClock
  private database: Database | undefined
  /** What an error of the store is shown to; without it, it ends the session. */
  onRefusal: ((error: unknown) => void) | undefined

  constructor(disk: SimulatedDisk, past: Past, now = EPOCH) {
    this.disk = disk
    this.past = past
    this.clock = new ManualClock(now)
    past.ledger.watch(disk)
  }

  get db(): Database {
    return this.database!
  }

  get isOpen(): boolean {
    return this.database !== undefined
  }

  get history(): History {
    return this.past.history
  }

  async open(options: OpenOptions = {}): Promise<void> {
    const { disk, clock, past } = this
    const every: OpenOptions = { writeBufferBytes: 64 * 1024, blockBytes: 512, fs: disk, clock, executor: 'inline' }
    const opening = (): Promise<Database> => this.until(open(STORE, { ...every, ...past.options, ...options }))
    try {
      this.database = await opening()
    } catch (error) {
      this.refused(error)
      past.ledger.watch(disk)
      expect(disk.openPaths, 'files that a refused opening leaves open').toEqual([])
      expect(clock.waiting, 'timers that a refused opening leaves set').toBe(0)
      this.database = await opening()
    }
    past.ledger.begin(this.db)
  }

  /** Everything that was committed is on disk when this returns. */
  async close(): Promise<void> {
    const issued = this.history.length
    const { db } = this
    this.database = undefined
    const done = await this.attempt(() => db.close())
    expect(this.disk.openPaths, 'files that stay open').toEqual([])
    expect(this.clock.waiting, 'timers that stay set').toBe(0)
    this.past.ledger.settle()
    if (done) this.history.secure(issued)
  }

  async flush(): Promise<void> {
    const issued = this.history.length
    // What stands in tables needs no log.
    if (await this.attempt(() => this.db.flush())) this.history.secure(issued)
  }

  async compact(kind: 'minor' | 'major'): Promise<void> {
    await this.attempt(() => this.db.compact({ kind }))
  }

  async idle(): Promise<void> {
    await this.attempt(() => this.db.idle())
  }

  /** Does something that may be refused, and says whether it was done. */
  async attempt(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.until(act())
      return true
    } catch (error) {
      this.refused(error)
      return false
    }
  }

  /** A value that nobody else has written, about `bytes` long. */
  value(bytes = 20): string {
    return `${++this.past.values}:`.padEnd(bytes, 'v')
  }

  // Writing. Each returns when the store has answered; without `await`, writes of one turn become one group.

  put(key: string, value: string, { sync = false, ttl, keyspace = '' }: WriteOptions = {}): Promise<void> {
    const expiresAt = ttl === undefined ? 0 : this.clock.now() + ttl
    return this.commit([{ type: 'put', keyspace, key, value, expiresAt }], sync, () =>
      this.keyspace(keyspace).put(key, value, { sync, ...(ttl === undefined ? {} : { ttl }) }),
    )
  }

  putSync(key: string, value: string, sync = false): void {
    const commit = this.history.issue([{ type: 'put', keyspace: '', key, value, expiresAt: 0 }])
    try {
      this.db.putSync(key, value, { sync })
    } catch (error) {
      this.refused(error, commit)
      return
    }
    this.history.acknowledge(commit, sync)
  }

  del(key: string, { sync = false, keyspace = '' }: WriteOptions = {}): Promise<void> {
    return this.commit([{ type: 'del', keyspace, key }], sync, () => this.keyspace(keyspace).del(key, { sync }))
  }

  clear(low: string, high: string, { sync = false, keyspace = '' }: WriteOptions = {}): Promise<void> {
    return this.commit([{ type: 'clear', keyspace, low, high }], sync, () =>
      this.keyspace(keyspace).clear({ gte: low, lt: high, sync }),
    )
  }

  /** One commit over any keyspaces. */
  batch(
    entries: readonly (readonly [keyspace: string, key: string, value: string | undefined])[],
    sync = false,
  ): Promise<void> {
    const changes = entries.map(
      ([keyspace, key, value]): Change =>
        value === undefined ? { type: 'del', keyspace, key } : { type: 'put', keyspace, key, value, expiresAt: 0 },
    )
    return this.commit(changes, sync, () => {
      const batch = this.db.batch()
      for (const [name, key, value] of entries) {
        const keyspace = this.keyspace(name)
        if (value === undefined) batch.del(key, { keyspace })
        else batch.put(key, value, { keyspace })
      }
      return batch.write({ sync })
    })
  }

  private keyspace(name: string) {
    return name === '' ? this.db : this.db.keyspace(name)
  }

  private async commit(changes: readonly Change[], sync: boolean, write: () => Promise<void>): Promise<void> {
    const commit = this.history.issue(changes)
    try {
      await this.until(write())
    } catch (error) {
      this.refused(error, commit)
      return
    }
    this.history.acknowledge(commit, sync)
  }

  /** Of what a crash interrupts nobody knows whether it was done. */
  private refused(error: unknown, commit?: Commit): void {
    if (this.disk.crashed) throw new SessionOver()
    if (this.onRefusal === undefined) throw error
    if (commit !== undefined) commit.refused = true
    this.onRefusal(error)
  }

  // Reading.

  /** Everything in the store. A reading that was refused is tried once more. */
  async content(): Promise<Content> {
    const { pins } = this.db.engine
    const held = pins.size
    try {
      return await this.readAll()
    } catch (error) {
      if (!(error instanceof SiltstoneError)) throw error
      this.refused(error)
      expect(pins.size, 'pins that a refused reading leaves').toBe(held)
      return this.readAll()
    }
  }

  /** Reads key by key, with a scan, and with one backwards: three ways that have to lead to the same. */
  private async readAll(): Promise<Content> {
    const { db } = this
    const content = new Map<string, ReadonlyMap<string, string>>()
    for (const name of ['', ...db.keyspaceNames()]) {
      const keyspace = this.keyspace(name)
      const found = new Map<string, string>()
      for (const key of this.history.keysOf(name)) {
        const value = keyspace.getSync(key)
        if (value !== undefined) found.set(key, value)
      }
      const entries = await this.until(keyspace.entries().toArray(), 0)
      const keys = entries.map(([key]) => key)
      expect(found, `what get and a scan see of keyspace '${name}'`).toEqual(new Map(entries))
      expect(await this.until(keyspace.keys({ reverse: true }).toArray(), 0), 'keys backwards').toEqual(
        keys.toReversed(),
      )
      content.set(name, found)
    }
    return content
  }

  /** What is kept of the log tells the newest commits, each once and in order: no hole, and nothing that was lost or refused. */
  async checkChanges(): Promise<void> {
    const seen: string[] = []
    const collect = async (): Promise<void> => {
      for await (const { operations } of this.db.changes({ since: 'oldest', follow: false })) {
        seen.push(operations.map(({ type, keyspace }, i) => `${type} ${keyspace}/${nameOf(operations[i]!)}`).join())
      }
    }
    await this.until(collect(), 0)
    const written = this.history
      .accepted()
      .map((changes) =>
        changes
          .map((change) => `${change.type} ${change.keyspace}/${change.type === 'clear' ? change.low : change.key}`)
          .join(),
      )
    expect(seen, 'the commits that the change feed tells').toEqual(written.slice(written.length - seen.length))
  }

  /** Fixes the present moment. `check` says whether it still looks as it did. */
  snapshot(): { check(): Promise<void>; close(): void } {
    const snapshot = this.db.snapshot()
    const count = this.history.length
    const check = async (): Promise<void> => {
      const entries = await this.until(snapshot.entries().toArray(), 0)
      const expected = this.history.contentAt(count, this.clock.now()).get('') ?? new Map()
      expect(new Map(entries), `a snapshot of the first ${count} commits`).toEqual(expected)
    }
    return { check, close: () => snapshot.close() }
  }

  /** The state of the store is one that breaks no promise. Says how many commits it holds. */
  async check(promised: number): Promise<number> {
    const content = await this.content()
    const now = this.clock.now()
    const count = this.history.find(content, promised, now)
    if (count !== undefined) return count
    const any = this.history.find(content, 0, now)
    if (any !== undefined) {
      expect.fail(`The store has the first ${any} commits; ${promised} of ${this.history.length} were promised`)
    }
    const difference = this.history.difference(content, this.history.length, now)
    return expect.fail(
      `The store shows what no prefix of its commits leads to. Beside the newest of them:\n${difference}`,
    )
  }

  /** Lets turns, and for each of them some time, go by until the promise settles. */
  async until<T>(promise: Promise<T>, msPerTurn = 1): Promise<T> {
    let settled = false
    const settle = (): void => {
      settled = true
    }
    promise.then(settle, settle)
    let turnsAfterCrash = 0
    for (let turns = 0; !settled; turns++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.disk.crashed && ++turnsAfterCrash > 3) break
      if (turns > MOST_TURNS)
        throw new Error(`Nothing came of it in ${turns} turns of the loop\n${this.disk.history()}`)
      this.clock.advance(msPerTurn)
    }
    // What was answered before the crash counts.
    if (!settled) throw new SessionOver()
    return promise
  }
}

function nameOf(operation: { key?: unknown; start?: unknown }): string {
  return String(operation.key ?? operation.start)
}

const MOST_TURNS = 20_000
