import { readdirSync, readlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.js'
import { parseStoreFile } from '../../src/tree/file-names.js'
import { temporaryDirectories } from './temporary.js'

const newDirectory = temporaryDirectories()

/** Files that are open in this process below a directory; only where the system tells. */
function openFilesIn(directory: string): string[] {
  try {
    return readdirSync('/proc/self/fd').flatMap((descriptor) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${descriptor}`)
        return path.startsWith(directory) ? [path] : []
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}

/** What would keep the process running or runs in it: timers, sockets, workers, calls on the pool. */
function resources(): string[] {
  return process.getActiveResourcesInfo().toSorted()
}

/** What there is now and was not before. Others, the test runner first of all, come and go as well. */
function added(before: readonly string[]): string[] {
  const left = [...before]
  return resources().filter((resource) => {
    const at = left.indexOf(resource)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

async function nextTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

const SMALL = { writeBufferBytes: 64 * 1024, maxOpenFiles: 8 }

describe('after close', () => {
  it.each(['worker', 'inline'] as const)('nothing of a store is left in the process: jobs run %s', async (executor) => {
    const directory = newDirectory()
    await nextTurns(3)
    const before = resources()
    for (let session = 0; session < 3; session++) {
      const db = await open(directory, { ...SMALL, executor })
      const writes = Array.from({ length: 300 }, (_, i) => db.put(`k${i}`, 'x'.repeat(500), { ttl: 60_000 }))
      await Promise.all(writes)
      void db.flush().catch(() => {})
      // Left open on purpose, both of them, and a read that is under way.
      db.snapshot()
      await db.entries().nextMany(10)
      const reading = db.get('k7').catch(() => undefined)
      expect(process.platform !== 'linux' || openFilesIn(directory).length > 0).toBe(true)
      await db.close()
      await reading
      expect(openFilesIn(directory)).toEqual([])
    }
    await nextTurns(3)
    expect(added(before)).toEqual([])
  })

  it('nothing is left of an opening that was refused', async () => {
    const directory = newDirectory()
    const db = await open(directory, SMALL)
    await nextTurns(3)
    const files = openFilesIn(directory)
    const before = resources()
    for (let i = 0; i < 3; i++) await expect(open(directory, SMALL)).rejects.toMatchObject({ code: 'SILT_LOCKED' })
    await nextTurns(3)
    expect(added(before)).toEqual([])
    expect(openFilesIn(directory)).toEqual(files)
    await db.close()
  })

  it('the files that only an open scan had held on to are gone', async () => {
    const directory = newDirectory()
    const db = await open(directory, SMALL)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 50; i++) await db.put(`k${i}`, `${round}`.repeat(200))
      await db.flush()
    }
    await db.entries().nextMany(1)
    await db.compact()
    const tables = (): string[] => readdirSync(directory).filter((name) => parseStoreFile(name)?.kind === 'table')
    expect(tables().length).toBeGreaterThan(1)
    await db.close()
    expect(tables()).toHaveLength(1)
  })
})
