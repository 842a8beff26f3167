import { KEY_BYTES, VALUE_BYTES } from '../dataset.js'
import { diskBytes } from '../directory.js'
import type { Store } from '../peers/peer.js'
import { writtenBytes } from '../process-figures.js'
import type { Reading } from '../sample.js'
import { BATCH, fillInBatches, inFlight, oneByOne, rate, type Step, timedOneByOne } from './pace.js'
import type { Stage, Workload } from './workload.js'

/** The best single put of a store: on this thread where there is one. */
export function bestPut({ putSync, put }: Store): (key: string, value: string) => Promise<unknown> | undefined {
  if (putSync === undefined) return put!
  return (key, value) => {
    putSync(key, value)
    return undefined
  }
}

function bestDel({ delSync, del }: Store): (key: string) => Promise<unknown> | undefined {
  if (delSync === undefined) return del!
  return (key) => {
    delSync(key)
    return undefined
  }
}

/** Keys are made before the clock starts: making one costs as much as some of the reads. */
function puts(stage: Stage, keys: readonly string[], put: (key: string, value: string) => ReturnType<Step>): Step {
  const { data } = stage
  return (i) => put(keys[i]!, data.value(i))
}

function randomPuts(stage: Stage, put: (key: string, value: string) => ReturnType<Step>): Step {
  return puts(stage, stage.data.randomKeys(stage.operations), put)
}

export const fillSequential: Workload = {
  title: 'fillseq, one by one',
  run(stage) {
    const keys = Array.from({ length: stage.operations }, (_, i) => stage.data.key(i))
    return oneByOne(stage, puts(stage, keys, bestPut(stage.store)))
  },
}

export const fillRandom: Workload = {
  title: 'fillrandom, one by one',
  run(stage) {
    const keys = Array.from({ length: stage.operations }, (_, i) => stage.data.key(stage.data.shuffledAt(i)))
    return oneByOne(stage, puts(stage, keys, bestPut(stage.store)))
  },
}

/** All keys in random order, and what that wrote and left on disk in the end. */
export const fillBatch: Workload = {
  title: `fillbatch of ${BATCH}`,
  fills: true,
  async run(stage) {
    const writtenBefore = writtenBytes()
    const { written, milliseconds } = await fillInBatches(stage, (i) => stage.data.shuffledAt(i))
    if (written < stage.data.size) throw new Error(`only ${written} keys were written in the time for it`)
    await stage.settle()
    return [...rate(written, milliseconds), ...footprint(stage, written, writtenBefore)]
  },
}

/** Bytes on disk, and bytes written for each byte of keys and values. */
export function footprint(stage: Stage, entries: number, writtenBefore: number | undefined): readonly Reading[] {
  const written = writtenBytes()
  const userBytes = entries * (KEY_BYTES + VALUE_BYTES)
  const onDisk: Reading = { part: 'disk when settled', unit: 'bytes', value: diskBytes(stage.directory) }
  if (written === undefined || writtenBefore === undefined) return [onDisk]
  return [onDisk, { part: 'write amplification', unit: 'times', value: (written - writtenBefore) / userBytes }]
}

export const overwrite: Workload = {
  title: 'overwrite, one by one',
  run: (stage) => oneByOne(stage, randomPuts(stage, bestPut(stage.store))),
}

export const awaitedPut: Workload = {
  title: 'put, awaited',
  async run(stage) {
    const { put } = stage.store
    return put === undefined ? [] : timedOneByOne(stage, randomPuts(stage, put))
  },
}

export const putInFlight: Workload = {
  title: 'put, 64 in flight',
  async run(stage) {
    const { put } = stage.store
    return put === undefined ? [] : inFlight(stage, randomPuts(stage, put))
  },
}

/** In a store that syncs every write: a group of writers shares one sync, where the store can do that. */
export const fillSync: Workload = {
  title: 'fillsync, one by one',
  async run(stage) {
    const { put } = stage.store
    return timedOneByOne(stage, randomPuts(stage, put ?? bestPut(stage.store)))
  },
}

export const fillSyncInFlight: Workload = {
  title: 'fillsync, 64 in flight',
  run: putInFlight.run,
}

export const deleteRandom: Workload = {
  title: 'deleterandom, one by one',
  run(stage) {
    const del = bestDel(stage.store)
    const keys = stage.data.randomKeys(stage.operations)
    return oneByOne(stage, (i) => del(keys[i]!))
  },
}
