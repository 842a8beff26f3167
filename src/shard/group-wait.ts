import type { Deliveries, HandedMessage, Waiting } from './mail.js'

/** A message and the shard that handed it out. */
export interface Arrival {
  readonly shard: string
  readonly message: HandedMessage
}

let lastCall = 0

/** A number for a wait that nobody else in this process uses. */
export function nextCall(): number {
  return ++lastCall
}

/**
 * One who waits for messages of several shards. Every shard is asked; the first answer ends the wait on all others, and what came
 * from them beyond what was asked for is given back. A shard that joins is asked as well, one that leaves is not waited for.
 */
export class GroupWait {
  private readonly waiting: Waiting
  private readonly asked = new Map<string, { part: Deliveries; call: number; done: Promise<void> }>()
  private readonly arrivals: Arrival[] = []
  private end!: () => void
  private fail!: (error: unknown) => void
  private readonly ended: Promise<void>
  private state: 'new' | 'waiting' | 'over' = 'new'
  isCancelled = false

  constructor(waiting: Waiting) {
    this.waiting = waiting
    this.ended = new Promise((resolve, reject) => {
      this.end = resolve
      this.fail = reject
    })
  }

  /** From here on it waits. */
  begin(): void {
    this.state = 'waiting'
  }

  /** Asks a shard, if it waits. */
  ask(shard: string, part: Deliveries): void {
    if (this.state !== 'waiting') return
    const call = nextCall()
    const done = part.receive({ ...this.waiting, call }).then(
      (messages) => {
        for (const message of messages) this.arrivals.push({ shard, message })
        if (this.asked.has(shard)) this.end()
      },
      (error) => {
        if (this.asked.has(shard)) this.fail(error)
      },
    )
    this.asked.set(shard, { part, call, done })
  }

  /** A shard leaves, and has nothing left. */
  leave(shard: string): void {
    const asked = this.asked.get(shard)
    this.asked.delete(shard)
    asked?.part.cancel(asked.call)
  }

  cancel(): void {
    this.isCancelled = true
    this.end()
  }

  /** What came, at most as much as was asked for. */
  async result(): Promise<Arrival[]> {
    try {
      await this.ended
    } finally {
      this.state = 'over'
      for (const { part, call } of this.asked.values()) part.cancel(call)
      await Promise.all([...this.asked.values()].map(({ done }) => done))
    }
    const surplus = this.arrivals.slice(this.waiting.max)
    for (const { shard, message } of surplus) this.asked.get(shard)!.part.release([message.receipt])
    return this.arrivals.slice(0, this.waiting.max)
  }
}
