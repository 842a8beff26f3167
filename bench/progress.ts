const SHOW_EVERY_MS = 100

/** Tells on standard error how far a run has come: on a terminal in one line that changes, elsewhere line by line. */
export class Progress {
  private readonly total: number
  private readonly startedAt = performance.now()
  private done = 0
  private shownAt = 0
  private errand = ''

  constructor(total: number) {
    this.total = total
  }

  starts(errand: string): void {
    this.errand = errand
    if (process.stderr.isTTY) this.show(errand)
    else process.stderr.write(`${this.head()} ${errand}\n`)
  }

  step(workload: string): void {
    if (!process.stderr.isTTY || performance.now() - this.shownAt < SHOW_EVERY_MS) return
    this.show(`${this.errand}: ${workload}`)
  }

  ends(): void {
    this.done++
  }

  close(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }

  private show(text: string): void {
    this.shownAt = performance.now()
    process.stderr.write(`\r\x1b[K${this.head()} ${text}`.slice(0, process.stderr.columns))
  }

  private head(): string {
    const { done, total } = this
    const elapsed = (performance.now() - this.startedAt) / 1000
    const left = done === 0 ? '' : `, ${duration((elapsed / done) * (total - done))} left`
    return `[${done + 1} of ${total}${left}]`
  }
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
}
