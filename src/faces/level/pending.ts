import { levelError } from './level-error.js'

/**
 * Counts what is under way, because closing waits for it. Writes need no counting: the store finishes those by itself.
 *
 * Nothing is kept of a promise but the count, so counting costs no more than translating its errors did.
 */
export class Pending {
  private count = 0
  private onNone: (() => void) | undefined
  private readonly settle = <T>(value: T): T => {
    this.leave()
    return value
  }
  private readonly fail = (error: unknown): never => {
    this.leave()
    throw levelError(error)
  }

  /** The same promise, counted until it settles, with errors of Level's. */
  add<T>(promise: Promise<T>): Promise<T> {
    this.count++
    return promise.then(this.settle, this.fail)
  }

  /** Resolves when nothing is under way. Requires: nothing is added meanwhile. */
  none(): Promise<void> {
    if (this.count === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.onNone = resolve
    })
  }

  private leave(): void {
    if (--this.count > 0) return
    this.onNone?.()
    this.onNone = undefined
  }
}
