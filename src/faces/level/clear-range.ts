import type { Handle } from './handles.js'
import { type EncodedScanOptions, rangeOf, readPoint } from './level-scan.js'

// So many keys go with one commit where they go one by one.
const SLICE = 1000

/** Deletes a range with one entry in the log. What a limit or a snapshot picks out of it is deleted key by key. */
export async function clearRange(handle: Handle, options: EncodedScanOptions): Promise<void> {
  const { limit, snapshot, reverse } = options
  const range = rangeOf(options)
  if (limit < 0 && !snapshot) return handle.clear(range)
  const most = limit < 0 ? Number.POSITIVE_INFINITY : limit
  const scan = handle.keys({ ...range, ...readPoint(snapshot), reverse, limit: most })
  try {
    for (;;) {
      const keys = await scan.nextMany(SLICE)
      if (keys.length === 0) return
      await handle.batch(keys.map((key) => ({ type: 'del', key })))
    }
  } finally {
    scan.close()
  }
}
