import { AbstractChainedBatch } from 'abstract-level'
import type { Batch } from '../../store/batch.js'
import type { Encoded } from './handles.js'
import { levelError, rethrow } from './level-error.js'
import type { ChainedBatchWriteOptions } from './level-options.js'

/** Level's chained batch over the store's: operations are prepared when they are given, and written as one. */
export class LevelChainedBatch<TDatabase, K, V> extends AbstractChainedBatch<TDatabase, K, V> {
  readonly #batch: Batch<Encoded, Encoded>

  /** @internal Batches come from `db.batch()`. */
  constructor(db: TDatabase, batch: Batch<Encoded, Encoded>) {
    super(db)
    this.#batch = batch
  }

  protected _put(key: Encoded, value: Encoded): void {
    try {
      this.#batch.put(key, value)
    } catch (error) {
      throw levelError(error)
    }
  }

  protected _del(key: Encoded): void {
    try {
      this.#batch.del(key)
    } catch (error) {
      throw levelError(error)
    }
  }

  protected _clear(): void {
    this.#batch.clear()
  }

  protected _write({ sync }: ChainedBatchWriteOptions): Promise<void> {
    return this.#batch.write(sync === undefined ? undefined : { sync: sync === true }).catch(rethrow)
  }
}
