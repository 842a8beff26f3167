import { hasProgress } from '../terminal.js'
import { showCount, showDuration } from '../units.js'

const PAINT_MS = 200
const BAR_CELLS = 24

/** One line on standard error that is painted over: how far, how fast, how long still. Nothing where nobody looks. */
export class Progress {
  private readonly what: string
  private readonly startedAt = performance.now()
  private paintedAt = 0
  private count = 0

  constructor(what: string) {
    this.what = what
  }

  /** `share` of the whole that is done, from 0 to 1, where the whole is known; `fresh` what of it this run has done. */
  advance(count: number, share?: number, fresh = share): void {
    this.count = count
    const now = performance.now()
    if (!hasProgress || now - this.paintedAt < PAINT_MS) return
    this.paintedAt = now
    const elapsedMs = now - this.startedAt
    const rate = `${showCount((count / elapsedMs) * 1000)}/s`
    const parts = [`${showCount(count)} ${this.what}`, rate]
    if (share !== undefined && fresh !== undefined && fresh > 0) {
      const cells = Math.round(share * BAR_CELLS)
      parts.unshift(`${'█'.repeat(cells)}${'░'.repeat(BAR_CELLS - cells)} ${Math.floor(share * 100)} %`)
      parts.push(`${showDuration((elapsedMs * (1 - share)) / fresh)} left`)
    }
    process.stderr.write(`\r\x1b[K${parts.join('  ')}`)
  }

  /** Takes the line away and returns what it came to. */
  end(): { count: number; seconds: number } {
    if (this.paintedAt > 0) process.stderr.write('\r\x1b[K')
    return { count: this.count, seconds: (performance.now() - this.startedAt) / 1000 }
  }
}
