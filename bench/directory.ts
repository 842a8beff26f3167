import { existsSync, readdirSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const LOOK_EVERY_MS = 50

/** What everything below a directory takes on disk: blocks, not lengths, because LMDB's file is mostly hole. */
export function diskBytes(directory: string): number {
  return files(directory).reduce((sum, { blocks, size }) => sum + (blocks === undefined ? size : blocks * 512), 0)
}

/** Resolves when no file has changed for so long: the only sign of rest that a store without a word for it gives. */
export async function untilStill(directory: string, stillMs: number, longestMs: number): Promise<void> {
  const giveUpAt = performance.now() + longestMs
  let before = ''
  let stillSince = performance.now()
  while (performance.now() < giveUpAt) {
    const now = files(directory)
      .map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`)
      .join()
    if (now !== before) stillSince = performance.now()
    before = now
    if (performance.now() - stillSince >= stillMs) return
    await setTimeout(LOOK_EVERY_MS)
  }
}

function files(directory: string): Stats[] {
  if (!existsSync(directory)) return []
  const found: Stats[] = []
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    // A compaction may remove a file between the two calls.
    const status = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })
    if (status?.isFile()) found.push(status)
  }
  return found
}
