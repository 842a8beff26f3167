import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { type Database, open } from '../../src/queue/messaging-database.js'
import type { OpenOptions } from '../../src/store/options.js'
import { ManualClock } from '../simulation/manual-clock.js'

/** A store in memory that can be closed and opened again, in a time that stands still until it is moved. */
export class TestStore {
  readonly clock = new ManualClock()
  readonly fs = new MemoryFileSystem()
  private readonly options: OpenOptions
  db!: Database

  private constructor(options: OpenOptions) {
    this.options = options
  }

  static async open(options: OpenOptions = {}): Promise<TestStore> {
    const store = new TestStore(options)
    await store.reopen()
    return store
  }

  async reopen(): Promise<Database> {
    await this.db?.close()
    const { fs, clock } = this
    this.db = await open('/store', { fs, clock, executor: 'inline', ...this.options })
    return this.db
  }

  /** Moves time on, and lets what was woken by that come to its end. */
  async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    await settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.close()
  }
}

/** Lets the loop turn until what can happen without time has happened. */
export async function settled(turns = 8): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}
