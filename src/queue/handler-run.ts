/** A handler that runs, and the message that it has. To the handler it is its context. */
export class HandlerRun<M> {
  readonly message: M
  /** Nobody waits for it any more. */
  isGivenUp = false
  cancelTimeout: (() => void) | undefined
  private aborting: AbortController | undefined
  private aborted: { readonly reason: unknown } | undefined

  constructor(message: M) {
    this.message = message
  }

  /** Made when it is asked for: few handlers do, and it costs more than all else here. */
  get signal(): AbortSignal {
    if (this.aborting === undefined) {
      this.aborting = new AbortController()
      if (this.aborted !== undefined) this.aborting.abort(this.aborted.reason)
    }
    return this.aborting.signal
  }

  abort(reason: unknown): void {
    this.aborted ??= { reason }
    this.aborting?.abort(reason)
  }
}
