import { Database, openStore } from '../store/database.js'
import type { OpenOptions } from '../store/options.js'

/** A store that other people's interfaces expect to be there at once: it opens with the first operation that needs it. */
export class LazyStore<V> {
  private opening: Promise<Database<string, V>> | undefined
  private readonly path: string
  private readonly options: OpenOptions<string, V>

  constructor(path: string, options: OpenOptions<string, V>) {
    this.path = path
    this.options = options
  }

  /** An attempt that failed is not remembered: the next operation tries again, as somebody may have let go of the lock. */
  get(): Promise<Database<string, V>> {
    this.opening ??= openStore(this.path, this.options, (...parts) => new Database<string, V>(...parts)).catch(
      (error: unknown) => {
        this.opening = undefined
        throw error
      },
    )
    return this.opening
  }

  async close(): Promise<void> {
    const { opening } = this
    this.opening = undefined
    await (await opening?.catch(() => undefined))?.close()
  }
}
