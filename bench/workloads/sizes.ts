import { fillInBatches, oneByOne } from './pace.js'
import { bestGet } from './reads.js'
import { seekRandom } from './scans.js'
import type { Stage, Workload } from './workload.js'
import { bestPut } from './writes.js'

/*
 * The same three operations on stores of different sizes, for the cost of an operation as a store grows.
 */

/** Fills the store where the workload before has not; nothing is measured of one that did not get full. */
export const fillForSize: Workload = {
  title: 'fill',
  fills: true,
  async run(stage) {
    const { written } = await fillInBatches(stage, (i) => stage.data.shuffledAt(i))
    if (written < stage.data.size) throw new Error(`only ${written} keys were written in the time for it`)
    await stage.settle()
    return []
  },
}

/** Whether the load before came to its end. */
function isFull({ store, data }: Stage): Promise<boolean> {
  const last = data.key(data.shuffledAt(data.size - 1))
  return Promise.resolve(bestGet(store)(last)).then((value) => value !== undefined)
}

export const sizeGet: Workload = {
  title: 'get, random',
  async run(stage) {
    if (!(await isFull(stage))) return []
    const get = bestGet(stage.store)
    const keys = stage.data.randomKeys(stage.operations)
    return oneByOne(stage, (i) => {
      const found = get(keys[i]!)
      return found instanceof Promise ? found : undefined
    })
  },
}

export const sizeSeek: Workload = {
  title: 'seek + 10, random',
  async run(stage) {
    return (await isFull(stage)) ? seekRandom.run(stage) : []
  },
}

export const sizePut: Workload = {
  title: 'put, random',
  async run(stage) {
    if (!(await isFull(stage))) return []
    const put = bestPut(stage.store)
    const keys = stage.data.randomKeys(stage.operations)
    return oneByOne(stage, (i) => put(keys[i]!, stage.data.value(i)))
  },
}
