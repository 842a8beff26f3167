import type { Store } from '../peers/peer.js'
import { inFlight, nextTurn, oneByOne, rate, type Step, timedOneByOne } from './pace.js'
import type { Stage, Workload } from './workload.js'
import { bestPut } from './writes.js'

const MANY = 100
/** As in db_bench: one key in a hundred. */
const HOT_SHARE = 0.01
/** Reads between two turns of the event loop while somebody else writes. */
const READS_A_TURN = 100

function seen(value: string | undefined): void {
  if (value === undefined) throw new Error('A key that was written is not there')
}

/** The best single get of a store: on this thread where there is one. */
export function bestGet({ getSync, get }: Store): (key: string) => Promise<string | undefined> | string | undefined {
  return getSync ?? get!
}

function getsSync(stage: Stage, keys: readonly string[]): Step | undefined {
  const { getSync } = stage.store
  if (getSync === undefined) return undefined
  return (i) => {
    seen(getSync(keys[i]!))
    return undefined
  }
}

function getsAwaited(stage: Stage, keys: readonly string[]): Step | undefined {
  const { get } = stage.store
  return get === undefined ? undefined : async (i) => seen(await get(keys[i]!))
}

function randomKeys({ data, operations }: Stage): string[] {
  return data.randomKeys(operations)
}

/** Of random keys, on this thread; before a compaction twice, because the first time also fills the cache. */
function readRandomSync(title: string): Workload {
  return {
    title,
    async run(stage) {
      const step = getsSync(stage, randomKeys(stage))
      return step === undefined ? [] : oneByOne(stage, step)
    },
  }
}

export const readRandomFirst = readRandomSync('readrandom, sync, first time')
export const readRandomAgain = readRandomSync('readrandom, sync, second time')

/** What is timed comes after a round that fills the cache. */
export const readRandom: Workload = {
  title: 'readrandom, sync, compacted',
  async run(stage) {
    const warmUp = getsSync(stage, randomKeys(stage))
    if (warmUp === undefined) return []
    await oneByOne(stage, warmUp)
    return oneByOne(stage, getsSync(stage, randomKeys(stage))!)
  },
}

export const readRandomAwaited: Workload = {
  title: 'readrandom, awaited, compacted',
  async run(stage) {
    const step = getsAwaited(stage, randomKeys(stage))
    return step === undefined ? [] : timedOneByOne(stage, step)
  },
}

export const readRandomInFlight: Workload = {
  title: 'readrandom, 64 in flight, compacted',
  async run(stage) {
    const step = getsAwaited(stage, randomKeys(stage))
    return step === undefined ? [] : inFlight(stage, step)
  },
}

export const readMissing: Workload = {
  title: 'readmissing, sync',
  async run(stage) {
    const { data, store, operations } = stage
    const { getSync } = store
    if (getSync === undefined) return []
    const keys = Array.from({ length: operations }, () => data.missingKey(data.random(data.size)))
    return oneByOne(stage, (i) => {
      if (getSync(keys[i]!) !== undefined) throw new Error('A key that was never written is there')
      return undefined
    })
  },
}

export const readHot: Workload = {
  title: 'readhot, sync',
  async run(stage) {
    const { data, operations } = stage
    const hot = Math.max(1, Math.floor(data.size * HOT_SHARE))
    const step = getsSync(stage, data.randomKeys(operations, hot))
    return step === undefined ? [] : oneByOne(stage, step)
  },
}

export const getMany: Workload = {
  title: `getMany of ${MANY}`,
  async run(stage) {
    const { store, operations, data, pace } = stage
    if (store.getMany === undefined) return []
    const calls = Math.ceil(operations / MANY)
    const keys = Array.from({ length: calls }, () => data.randomKeys(MANY))
    const startedAt = performance.now()
    let done = 0
    while (done < calls && performance.now() < startedAt + pace.seconds * 1000) {
      for (const value of await store.getMany(keys[done]!)) seen(value)
      done++
    }
    return rate(done * MANY, performance.now() - startedAt)
  },
}

/** Counts the reads; a writer puts a key in every turn of the event loop. */
export const readWhileWriting: Workload = {
  title: 'readwhilewriting',
  async run(stage) {
    const { store, data, pace, operations } = stage
    const [get, put] = [bestGet(store), bestPut(store)]
    const keys = randomKeys(stage)
    let isOver = false
    const writer = async (): Promise<void> => {
      for (let i = 0; !isOver; i++) {
        await put(keys[(i * 7) % keys.length]!, data.value(i))
        await nextTurn()
      }
    }
    const writing = writer()
    const startedAt = performance.now()
    let done = 0
    try {
      while (done < operations && performance.now() < startedAt + pace.seconds * 1000) {
        for (const end = Math.min(operations, done + READS_A_TURN); done < end; done++) {
          const found = get(keys[done]!)
          seen(typeof found === 'string' ? found : await found)
        }
        await nextTurn()
      }
    } finally {
      isOver = true
      await writing
    }
    return rate(done, performance.now() - startedAt)
  },
}
