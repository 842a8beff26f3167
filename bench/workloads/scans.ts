import type { Reading } from '../sample.js'
import { oneByOne, rate, type Step } from './pace.js'
import type { Stage, Workload } from './workload.js'

const NEXTS = 10

async function wholeScan(stage: Stage, scan: () => Promise<number> | number): Promise<readonly Reading[]> {
  const { size } = stage.data
  const startedAt = performance.now()
  let entries = 0
  // A scan of a small store is over before its code is compiled, so it is taken again while there is time.
  do {
    const count = await scan()
    if (count !== size) throw new Error(`The scan saw ${count} of ${size} entries`)
    entries += count
  } while (performance.now() < startedAt + stage.pace.seconds * 1000)
  return rate(entries, performance.now() - startedAt)
}

/** By the quickest way; a store that cannot scan on this thread goes through its awaited slices. */
function readInOrder(title: string, reverse: boolean): Workload {
  return {
    title,
    async run(stage) {
      const { scan, scanSync } = stage.store
      return wholeScan(stage, () => (scanSync ?? scan!)(reverse))
    },
  }
}

export const readSequential = readInOrder('readseq, sync', false)
export const readReverse = readInOrder('readreverse, sync', true)

export const readSequentialAwaited: Workload = {
  title: 'readseq, for await',
  async run(stage) {
    const { scan } = stage.store
    return scan === undefined ? [] : wholeScan(stage, () => scan(false))
  },
}

function seeks(stage: Stage, seek: (key: string, count: number) => Promise<number> | number): Step {
  const keys = stage.data.randomKeys(stage.operations)
  return (i) => {
    const found = seek(keys[i]!, NEXTS)
    return typeof found === 'number' ? undefined : found
  }
}

export const seekRandom: Workload = {
  title: `seekrandom + ${NEXTS}, sync`,
  run: (stage) => oneByOne(stage, seeks(stage, stage.store.seekSync ?? stage.store.seek!)),
}

export const seekRandomAwaited: Workload = {
  title: `seekrandom + ${NEXTS}, awaited`,
  async run(stage) {
    const { seek } = stage.store
    return seek === undefined ? [] : oneByOne(stage, seeks(stage, seek))
  },
}
