import { existsSync, readlinkSync } from 'node:fs'

/*
 * What two threads know of each other without an event loop: a few numbers in memory that they share. A thread that must not go back to its
 * loop sleeps on the count of what the other one has sent (`Atomics.wait`) and then takes the messages out of the port by hand; that the
 * other one has died it would hear of from its loop alone, so that is looked for here too.
 */

const SENT = 0
/** Grows with every step of work: a thread that is alive moves it. */
const BEATS = 1
const STATE = 2
/** The number that the system gave the thread, where it says so. */
const THREAD = 3
const CELLS = 4

const STARTING = 0
const RUNNING = 1
const ENDED = 2

/** Between two looks whether a thread that is slept for is still there. */
const LOOK_MS = 50
/** Where the system does not say which threads there are, one that gives no sign of life for so long while somebody sleeps for it is given up. */
const SILENCE_MS = 60_000

/** How sleeping for a thread ended. */
export type Waking = 'sent' | 'starting' | 'dead'

/** The signals of one thread: it sends, the one that started it sleeps. */
export class ThreadSignals {
  readonly cells: Int32Array

  constructor(cells: Int32Array = new Int32Array(new SharedArrayBuffer(4 * CELLS))) {
    this.cells = cells
  }

  // In the thread.

  /** It is ready to work. Says so too when it ends. */
  begin(): void {
    const { cells } = this
    Atomics.store(cells, THREAD, ownThread())
    process.once('exit', () => this.end())
    Atomics.store(cells, STATE, RUNNING)
  }

  private end(): void {
    Atomics.store(this.cells, STATE, ENDED)
    this.tell()
  }

  /** To be called behind every message that it sends. */
  tell(): void {
    Atomics.add(this.cells, SENT, 1)
    Atomics.notify(this.cells, SENT)
  }

  /** To be called while it works. */
  beat(): void {
    Atomics.add(this.cells, BEATS, 1)
  }

  // In the one that started it.

  /** How much it has sent. */
  get sent(): number {
    return Atomics.load(this.cells, SENT)
  }

  get isStarting(): boolean {
    return Atomics.load(this.cells, STATE) === STARTING
  }

  get hasEnded(): boolean {
    return Atomics.load(this.cells, STATE) === ENDED
  }

  /** Sleeps until more was sent than `seen`, or nothing can be expected any more; 'starting' where it did not begin within `patienceMs`. */
  sleep(seen: number, patienceMs: number): Waking {
    const { cells } = this
    let beats = -1
    let silentMs = 0
    for (let sleptMs = 0; ; sleptMs += LOOK_MS) {
      if (this.sent !== seen) return 'sent'
      if (this.hasEnded) return 'dead'
      if (Atomics.wait(cells, SENT, seen, LOOK_MS) !== 'timed-out') continue
      if (this.isStarting) {
        if (sleptMs >= patienceMs) return 'starting'
        continue
      }
      const thread = Atomics.load(cells, THREAD)
      if (thread !== 0) {
        if (isThere(thread)) continue
        return this.sent === seen ? 'dead' : 'sent'
      }
      const now = Atomics.load(cells, BEATS)
      silentMs = now === beats ? silentMs + LOOK_MS : 0
      beats = now
      if (silentMs >= SILENCE_MS) return 'dead'
    }
  }
}

/** The system's number of this thread, 0 where it has none or does not say. */
export function ownThread(): number {
  if (process.platform !== 'linux') return 0
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    return 0
  }
}

/** A thread that was ended from outside, or ran out of memory, has no time to say so. */
function isThere(thread: number): boolean {
  return existsSync(`/proc/self/task/${thread}`)
}
