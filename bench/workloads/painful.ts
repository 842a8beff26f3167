import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { Histogram } from '../histogram.js'
import type { Operation } from '../peers/peer.js'
import { writtenBytes } from '../process-figures.js'
import type { Reading } from '../sample.js'
import { BATCH, fillInBatches, latencyReadings, nextTurn, oneByOne, rate } from './pace.js'
import { bestGet } from './reads.js'
import type { Stage, Workload } from './workload.js'
import { bestPut, footprint } from './writes.js'

/*
 * What stores of this kind are known to be bad at.
 */

const LONGEST_QUEUE = 10_000
const MOST_LARGE_VALUES = 1000

/** Deletes at the head, appends at the tail, and looks for the head from the very beginning, where the deleted ones lie. */
export const queueLike: Workload = {
  title: 'take the first entry, append one',
  async run(stage) {
    const { store, data } = stage
    const seek = store.seekSync ?? store.seek!
    const length = Math.min(LONGEST_QUEUE, Math.ceil(data.size / 10))
    let [head, tail] = [0, 0]
    while (tail < length) {
      const operations: Operation[] = []
      for (const end = Math.min(length, tail + BATCH); tail < end; tail++) {
        operations.push({ type: 'put', key: data.key(tail), value: data.value(tail) })
      }
      await store.batch(operations)
    }
    const first = data.key(0)
    return oneByOne(stage, async (i) => {
      if ((await seek(first, 1)) !== 1) throw new Error('The queue has lost its head')
      await store.batch([
        { type: 'del', key: data.key(head++) },
        { type: 'put', key: data.key(tail++), value: data.value(i) },
      ])
    })
  },
}

/** Looks for the first ten entries from the beginning of a range of which the first half was deleted just now, once a turn of the loop. */
export const scanOverTombstones: Workload = {
  title: 'first 10 behind a deleted half',
  async run(stage) {
    const { store, data } = stage
    const seek = store.seekSync ?? store.seek!
    const half = Math.floor(data.size / 2)
    for (let i = 0; i < half; ) {
      const operations: Operation[] = []
      for (const end = Math.min(half, i + BATCH); i < end; i++) operations.push({ type: 'del', key: data.key(i) })
      await store.batch(operations)
    }
    const first = data.key(0)
    return oneByOne(stage, async () => {
      if ((await seek(first, 10)) !== 10) throw new Error('What was not deleted is not found')
      await nextTurn()
    })
  },
}

function largeValues(stage: Stage): number {
  return Math.min(MOST_LARGE_VALUES, Math.max(10, Math.floor(stage.operations / 500)))
}

export const putLarge: Workload = {
  title: 'put of 100 kB, one by one',
  fills: true,
  run(stage) {
    const { data, store } = stage
    const put = bestPut(store)
    const values = Array.from({ length: 16 }, (_, i) => data.largeValue(i))
    return oneByOne(stage, (i) => put(data.key(data.shuffledAt(i)), values[i % 16]!), largeValues(stage))
  },
}

export const getLarge: Workload = {
  title: 'get of 100 kB',
  run(stage) {
    const { data, store } = stage
    const get = bestGet(store)
    const count = largeValues(stage)
    const keys = Array.from({ length: count }, () => data.key(data.shuffledAt(data.random(count))))
    return oneByOne(
      stage,
      (i) => {
        const found = get(keys[i]!)
        return found instanceof Promise ? found : undefined
      },
      count,
    )
  },
}

// A batch is what a single write has to wait for at least.
const LOAD_BATCH = 100
const PROBE_EVERY_MS = 1
const DELAY_RESOLUTION_MS = 1

/**
 * Ten times the keys in random order, as fast as the store takes them, in batches of 100; beside it somebody puts one key every
 * millisecond and waits for it. The event loop turns after every batch, also where a store would not let it. A load that is given up when its time is over still has a rate.
 */
export const longLoad: Workload = {
  title: 'random load',
  fills: true,
  async run(stage) {
    const { store, data } = stage
    const put = store.put ?? bestPut(store)
    const latencies = new Histogram()
    const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
    const writtenBefore = writtenBytes()
    let isOver = false
    const probe = async (): Promise<void> => {
      for (let i = 0; !isOver; i++) {
        const before = performance.now()
        await put(data.key(data.shuffledAt(i)), data.value(data.shuffledAt(i)))
        latencies.record(performance.now() - before)
        await setTimeout(PROBE_EVERY_MS)
      }
    }
    delay.enable()
    const probing = probe()
    const { written, milliseconds } = await fillInBatches(stage, (i) => data.shuffledAt(i), LOAD_BATCH, nextTurn)
    delay.disable()
    isOver = true
    await probing
    await stage.settle()
    const readings = [
      ...rate(written, milliseconds),
      ...latencyReadings(latencies).map((each) => ({ ...each, part: `put under load ${each.part}` })),
      ...eventLoopReadings(delay.percentile(99), delay.max),
    ]
    // What is less than the others have is not compared with them.
    return written < data.size ? readings : [...readings, ...footprint(stage, written, writtenBefore)]
  },
}

/** The monitor counts from one of its timers to the next, so that an idle loop has a delay of one resolution. */
function eventLoopReadings(p99Ns: number, maxNs: number): readonly Reading[] {
  const inMs = (ns: number): number => Math.max(0, ns / 1e6 - DELAY_RESOLUTION_MS)
  return [
    { part: 'event-loop delay p99', unit: 'ms', value: inMs(p99Ns) },
    { part: 'event-loop delay max', unit: 'ms', value: inMs(maxNs) },
  ]
}
