import { holdProcess } from '../store/keep-alive.js'
import type { Change } from './change.js'
import { closedError } from './dispatcher.js'
import type { PlacedMessage } from './message-log.js'
import type { StoredRun } from './stored-run.js'

const FIRST_SLICE = 32
const LARGEST_SLICE = 1024
const SLICE_BYTES = 1024 * 1024

/** What a follower is made with. */
export interface FollowOptions {
  readonly from: number
  readonly limit: number
  /** Waits at the end for what comes. */
  readonly follow: boolean
  readonly signal: AbortSignal | undefined
}

/** Walks over a run of messages from an offset on, and waits at its end, if it is to: woken by a commit, never looking again and again. */
export async function* follow(
  run: StoredRun,
  { from, limit, follow, signal }: FollowOptions,
): AsyncGenerator<PlacedMessage> {
  const { log } = run
  let next = from
  let left = limit
  let size = FIRST_SLICE
  while (left > 0) {
    signal?.throwIfAborted()
    log.checkOpen()
    next = Math.max(next, log.first)
    if (next >= log.visible) {
      if (!follow) return
      await appended(run, next, signal)
      continue
    }
    const { visible } = log
    const slice = await log.slice(next, visible, Math.min(left, size), SLICE_BYTES)
    size = Math.min(size * 2, LARGEST_SLICE)
    // Everything that was there when the slice was begun has been trimmed away meanwhile, or is lost.
    if (slice.length === 0) next = Math.max(log.first, visible)
    for (const placed of slice) {
      signal?.throwIfAborted()
      // Trimmed since it was read.
      if (placed.offset < log.first) continue
      next = placed.offset + 1
      left--
      yield placed
    }
  }
}

/** Resolves when a message at the offset is visible. */
function appended(run: StoredRun, offset: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const release = holdProcess()
    const { signal: closing } = run.closing
    const end = (): void => {
      release()
      unwatch()
      signal?.removeEventListener('abort', onAbort)
      closing.removeEventListener('abort', onClose)
    }
    const onAbort = (): void => {
      end()
      reject(signal!.reason)
    }
    const onClose = (): void => {
      end()
      reject(closedError())
    }
    const unwatch = run.log.watch(() => {
      if (run.log.visible <= offset) return
      end()
      resolve()
    })
    signal?.addEventListener('abort', onAbort)
    closing.addEventListener('abort', onClose)
  })
}

/** The first offset whose message was sent at or after a time, by halving: times never go back within a run. */
export function offsetAt(run: StoredRun, time: number): number {
  const { log } = run
  let low = log.first
  let high = log.visible
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const message = log.at(middle)
    if (message === undefined || message.sentAt < time) low = middle + 1
    else high = middle
  }
  return low
}

/** Now, or the time of the last message where the clock has been set back: replay from a time relies on the order. */
export class RunningTime {
  private latest: number

  constructor(run: StoredRun) {
    const { log } = run
    this.latest = (log.visible > log.first && log.at(log.visible - 1)?.sentAt) || 0
  }

  /** The time of what a change appends. */
  next(change: Change, now: number): number {
    const { latest } = this
    this.latest = Math.max(latest, Math.floor(now))
    change.onRefused(() => {
      this.latest = latest
    })
    return this.latest
  }
}
