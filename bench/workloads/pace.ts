import { Histogram } from '../histogram.js'
import type { Operation } from '../peers/peer.js'
import type { Reading } from '../sample.js'
import type { Stage } from './workload.js'

/*
 * The loops that workloads are made of, and what they come to.
 */

export const BATCH = 1000
export const IN_FLIGHT = 64

/** One operation. What it returns is awaited; where a call is synchronous it returns nothing, and nothing is. */
export type Step = (i: number) => Promise<unknown> | undefined

// The clock costs 30 ns, so a loop over quick operations does not ask it each time; one over slow ones does.
const MOST_UNWATCHED = 64

/** Does up to so many operations one after the other. */
export async function oneByOne(stage: Stage, step: Step, count = stage.operations): Promise<readonly Reading[]> {
  const startedAt = performance.now()
  const deadline = startedAt + stage.pace.seconds * 1000
  let done = 0
  for (let nextLook = 0; done < count; done++) {
    if (done >= nextLook) {
      if (performance.now() > deadline) break
      nextLook = done + Math.min(MOST_UNWATCHED, 1 + (done >> 3))
    }
    const pending = step(done)
    if (pending !== undefined) await pending
  }
  return rate(done, performance.now() - startedAt)
}

/** The same, each awaited and its latency counted. */
export async function timedOneByOne(stage: Stage, step: Step, count = stage.operations): Promise<readonly Reading[]> {
  return inFlight(stage, step, 1, count)
}

/** Keeps so many operations under way at a time and counts their latencies. */
export async function inFlight(
  stage: Stage,
  step: Step,
  width = IN_FLIGHT,
  count = stage.operations,
): Promise<readonly Reading[]> {
  const latencies = new Histogram()
  const startedAt = performance.now()
  const deadline = startedAt + stage.pace.seconds * 1000
  let next = 0
  const lane = async (): Promise<void> => {
    for (let before = startedAt; next < count && before <= deadline; ) {
      before = performance.now()
      await step(next++)
      latencies.record(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  return [...rate(latencies.count, performance.now() - startedAt), ...latencyReadings(latencies)]
}

/** Writes keys in batches, in the order that `numberAt` says, and returns how many it came to before its time was over. */
export async function fillInBatches(
  stage: Stage,
  numberAt: (i: number) => number,
  batchSize = BATCH,
  afterBatch: () => Promise<void> | undefined = () => undefined,
): Promise<{ readonly written: number; readonly milliseconds: number }> {
  const { store, data, pace } = stage
  const startedAt = performance.now()
  const deadline = startedAt + pace.fillSeconds * 1000
  let written = 0
  while (written < data.size && performance.now() < deadline) {
    const operations: Operation[] = []
    for (const end = Math.min(data.size, written + batchSize); written < end; written++) {
      const number = numberAt(written)
      operations.push({ type: 'put', key: data.key(number), value: data.value(number) })
    }
    await store.batch(operations)
    await afterBatch()
  }
  return { written, milliseconds: performance.now() - startedAt }
}

export function rate(operations: number, milliseconds: number): readonly Reading[] {
  return operations === 0 ? [] : [{ unit: 'ops/s', value: (operations * 1000) / milliseconds }]
}

export function latencyReadings(latencies: Histogram): readonly Reading[] {
  return [50, 99, 99.9].map((percent) => ({
    part: `p${percent}`,
    unit: 'ms',
    value: latencies.percentile(percent),
  }))
}

/** Lets timers, sockets and whatever else waits have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise(setImmediate)
}
