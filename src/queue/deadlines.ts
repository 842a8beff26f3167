import type { Entry } from './entry.js'
import { Heap } from './heap.js'

interface Deadline {
  readonly at: number
  readonly entry: Entry
  readonly fence: number
}

/** Until when those that are in flight may be held. */
export class Deadlines {
  private readonly heap = new Heap<Deadline>((a, b) => a.at < b.at)

  /** A message is handed out. */
  add(entry: Entry): void {
    this.heap.push({ at: entry.deadline, entry, fence: entry.fence })
  }

  /** Gives the holder of a message more time, or less. */
  extend(entry: Entry, deadline: number): void {
    // A later one is found when the earlier one comes up.
    if (deadline < entry.deadline) this.heap.push({ at: deadline, entry, fence: entry.fence })
    entry.deadline = deadline
  }

  /** Those whose time is over. */
  overdue(now: number): Entry[] {
    const { heap } = this
    const entries: Entry[] = []
    for (let next = heap.first; next !== undefined && next.at <= now; next = heap.first) {
      heap.pop()
      if (isOver(next)) continue
      const { entry, fence } = next
      if (entry.deadline > now) heap.push({ at: entry.deadline, entry, fence })
      else entries.push(entry)
    }
    return entries
  }

  /** When the next one may be over; Infinity where nothing is in flight. */
  get next(): number {
    const { heap } = this
    while (heap.first !== undefined && isOver(heap.first)) heap.pop()
    return heap.first?.at ?? Number.POSITIVE_INFINITY
  }
}

/** Somebody has settled it since. */
function isOver({ entry, fence }: Deadline): boolean {
  return entry.state !== 'in-flight' || entry.fence !== fence
}
