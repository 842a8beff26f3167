import { Zipfian } from '../zipfian.js'
import { oneByOne, type Step } from './pace.js'
import { bestGet } from './reads.js'
import type { Stage, Workload } from './workload.js'
import { bestPut } from './writes.js'

/*
 * The core workloads of YCSB, with one client and records of one field. Shares are of operations; what is not named is read.
 *
 *   A  half updates                     D  5 % inserts, reads of what is newest
 *   B  5 % updates                      E  scans of 1 to 100 entries, 5 % inserts
 *   C  reads only                       F  half read, modified and written back: both calls, in this order
 */

interface Mix {
  readonly letter: string
  readonly update?: number
  readonly insert?: number
  readonly readModifyWrite?: number
  readonly scans?: boolean
  readonly latest?: boolean
}

const LONGEST_SCAN = 100

const MIXES: readonly Mix[] = [
  { letter: 'A', update: 0.5 },
  { letter: 'B', update: 0.05 },
  { letter: 'C' },
  { letter: 'F', readModifyWrite: 0.5 },
  // YCSB's own order: those that insert come last.
  { letter: 'D', insert: 0.05, latest: true },
  { letter: 'E', insert: 0.05, scans: true },
]

export const ycsb: readonly Workload[] = MIXES.map((mix) => ({
  title: `YCSB ${mix.letter}`,
  run: (stage) => oneByOne(stage, stepOf(stage, mix)),
}))

function stepOf(stage: Stage, mix: Mix): Step {
  const { store, data, operations } = stage
  const { update = 0, insert = 0, readModifyWrite = 0, scans = false, latest = false } = mix
  const [get, put, seek] = [bestGet(store), bestPut(store), store.seekSync ?? store.seek!]
  const chosen = chooser(stage, latest)
  const chances = Float64Array.from({ length: operations }, () => data.fraction())
  // D and E insert behind the keys that are there; a second one of them writes the first one's keys anew.
  let count = data.size
  return (i) => {
    const chance = chances[i]!
    if (chance < insert) return put(data.key(count++), data.value(i))
    const key = data.key(chosen(i, count))
    if (scans) return awaited(seek(key, 1 + Math.floor(data.random(LONGEST_SCAN))))
    if (chance < update) return put(key, data.value(i))
    const found = get(key)
    if (chance >= readModifyWrite) return awaited(found)
    if (typeof found === 'string') return put(key, modified(found))
    return Promise.resolve(found).then((value) => put(key, modified(value)))
  }
}

/** The number of a key: popular ones strewn over all keys, or the newest ones most popular. */
function chooser({ data, operations }: Stage, latest: boolean): (i: number, count: number) => number {
  const zipfian = new Zipfian(data.size, () => data.fraction())
  const ranks = Uint32Array.from({ length: operations }, () => zipfian.next())
  if (latest) return (i, count) => count - 1 - ranks[i]!
  return (i) => data.shuffledAt(ranks[i]!)
}

function modified(value: string | undefined): string {
  if (value === undefined) throw new Error('A key that was written is not there')
  return value.slice(1) + value[0]
}

function awaited(result: unknown): Promise<unknown> | undefined {
  return result instanceof Promise ? result : undefined
}
