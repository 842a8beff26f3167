import type { Workload } from './workload.js'

export const compact: Workload = {
  title: 'compact',
  fills: true,
  async run(stage) {
    const { store } = stage
    if (store.compact === undefined) return []
    const startedAt = performance.now()
    await store.compact()
    const milliseconds = performance.now() - startedAt
    await stage.settle()
    return [{ unit: 'ms', value: milliseconds }]
  },
}

/** Of a store that was closed properly, up to the first answer. */
export const reopen: Workload = {
  title: 'open',
  async run(stage) {
    await stage.settle()
    await stage.close()
    const startedAt = performance.now()
    await stage.open()
    const { getSync, get } = stage.store
    const key = stage.data.key(0)
    await (getSync?.(key) ?? get?.(key))
    return [{ unit: 'ms', value: performance.now() - startedAt }]
  },
}
