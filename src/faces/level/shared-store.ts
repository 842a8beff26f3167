import { resolve } from 'node:path'
import { type Database, open } from '../../store/database.js'
import type { OpenOptions } from '../../store/options.js'

/** A store in use, and how to let go of it. */
export interface Lease {
  readonly database: Database<Buffer, Buffer>
  release(): Promise<void>
}

/** A store that several Level databases of this thread have open. */
class SharedStore {
  readonly opening: Promise<Database<Buffer, Buffer>>
  /** Set once the last holder has let go: who comes now waits, and opens the store anew. */
  closing: Promise<void> | undefined
  private holders = 0

  constructor(location: string, options: OpenOptions<Buffer, Buffer>) {
    this.opening = open(location, options)
  }

  async hold(onClosed: () => void): Promise<Lease> {
    this.holders++
    const database = await this.opening
    return { database, release: () => this.release(database, onClosed) }
  }

  private async release(database: Database<Buffer, Buffer>, onClosed: () => void): Promise<void> {
    if (--this.holders > 0) return
    this.closing = database.close()
    try {
      await this.closing
    } finally {
      onClosed()
    }
  }
}

const stores = new Map<string, SharedStore>()

/** Opens a store for one Level database alone. */
export async function openAlone(location: string, options: OpenOptions<Buffer, Buffer>): Promise<Lease> {
  const database = await open(location, options)
  return { database, release: () => database.close() }
}

/** Opens a store, or joins those of this thread that share it already; the options of the first one count. */
export async function openShared(location: string, options: OpenOptions<Buffer, Buffer>): Promise<Lease> {
  const key = resolve(location)
  for (let store = stores.get(key); store?.closing !== undefined; store = stores.get(key)) {
    await store.closing.catch(() => {})
  }
  const store = stores.get(key) ?? new SharedStore(location, options)
  stores.set(key, store)
  const forget = () => {
    if (stores.get(key) === store) stores.delete(key)
  }
  try {
    return await store.hold(forget)
  } catch (error) {
    forget()
    throw error
  }
}
