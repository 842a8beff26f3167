import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryFileSystem, open } from '../../../src/index.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { commitsOf } from '../changes/replica.js'
import { fingerprint, temporaryDirectories } from '../temporary.js'

const directory = temporaryDirectories()
const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const exited = once(child, 'exit')
    if (child.connected) child.disconnect()
    await exited
  }
})

/** A writer in another process, which has the store open when this resolves. */
async function startWriter(path: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'writing-process.mjs'), [path])
  children.push(child)
  await once(child, 'message')
  return child
}

describe('a store that only reads', () => {
  it('shows with each refresh what was committed until then, to changes and to watch', async () => {
    const fs = new MemoryFileSystem()
    const options = { fs, executor: 'inline', writeBufferBytes: 64 * 1024 } as const
    await using db = await open('/store', { ...options, logRetention: { bytes: Number.POSITIVE_INFINITY } })
    await db.put('before', '0')
    await using reader = await open('/store', { fs, readOnly: true })
    const changes = reader.changes()
    const watch = reader.watch({ prefix: 'k' })
    let isTold = false
    const first = changes.next().then((result) => {
      isTold = true
      return result
    })
    await db.put('k1', '1')
    await db.put('k1', '2')
    await db.flush()
    await db.clear({ gte: 'k2' })
    expect(await commitsOf(reader)).toHaveLength(1)
    expect(isTold).toBe(false)
    await reader.refresh()
    expect((await first).value?.operations).toMatchObject([{ key: 'k1', value: '1' }])
    expect((await watch.next()).value).toMatchObject({ type: 'put', key: 'k1', value: '2' })
    expect((await watch.next()).value).toMatchObject({ type: 'clear', start: 'k2' })
    expect(await commitsOf(reader)).toEqual(await commitsOf(db))
    const waiting = [changes, watch].map(async (stream) => {
      while (!(await stream.next()).done);
    })
    await reader.close()
    await Promise.all(waiting)
  })

  it('is told where its writer has kept too little for it', async () => {
    const fs = new MemoryFileSystem()
    await using db = await open('/store', { fs, executor: 'inline' })
    await db.put('a', '0')
    await using reader = await open('/store', { fs, readOnly: true })
    const changes = reader.changes({ since: 0 })
    const watch = reader.watch()
    expect((await changes.next()).value?.operations).toMatchObject([{ key: 'a' }])
    await db.put('b', '1')
    await db.flush()
    await reader.refresh()
    expect(reader.getSync('b')).toBe('1')
    await expect(changes.next()).rejects.toMatchObject({ code: 'SILT_GONE' })
    await expect(watch.next()).rejects.toMatchObject({ code: 'SILT_GONE' })
  })

  // A log that syncs small records is filled with zeros ahead, so its size does not tell of a commit.
  it.each([false, true])(
    'follows by the clock where nobody tells of changes, and does not stir while nothing is written (sync: %s)',
    async (sync) => {
      const fs = new MemoryFileSystem()
      const clock = new ManualClock()
      await using db = await open('/store', { fs, executor: 'inline' })
      await db.put('a', '0', { sync })
      await using reader = await open('/store', { fs, readOnly: true, clock })
      const controller = new AbortController()
      const following = reader.follow({ intervalMs: 100, signal: controller.signal })
      following.catch(() => {})
      const turns = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) await new Promise(setImmediate)
      }
      await turns()
      const { recovery } = reader
      clock.advance(100)
      await turns()
      expect(reader.recovery, 'nothing was written, nothing was read').toBe(recovery)
      await db.put('b', '1', { sync })
      clock.advance(99)
      await turns()
      expect(reader.getSync('b')).toBeUndefined()
      clock.advance(1)
      await turns()
      expect(reader.getSync('b')).toBe('1')
      clock.advance(100)
      await turns()
      const { recovery: settled } = reader
      clock.advance(100)
      await turns()
      expect(reader.recovery, 'nothing more was written, nothing more was read').toBe(settled)
      controller.abort('enough')
      await expect(following).rejects.toBe('enough')
      expect(clock.waiting).toBe(0)
    },
  )

  it('follows until it is closed, and where it is the writer there is nobody to follow', async () => {
    const fs = new MemoryFileSystem()
    await using db = await open('/store', { fs, executor: 'inline' })
    await db.follow()
    const reader = await open('/store', { fs, readOnly: true })
    const following = reader.follow()
    const changes = reader.changes().next()
    await reader.close()
    await following
    expect((await changes).done).toBe(true)
    await expect(reader.follow()).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    await expect(db.follow({ intervalMs: 0 })).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
  })
})

describe('a reader in another process than its writer', () => {
  it('sees every commit once and in order while segments are flushed and removed, and writes nothing', async () => {
    const path = directory()
    const writer = await startWriter(path)
    await using reader = await open(path, { readOnly: true })
    const following = reader.follow({ intervalMs: 20 })
    const changes = reader.changes({ since: 0 })
    const watch = reader.watch({ key: 'key 1499' })
    writer.send({ from: 0, to: 1500, flush: true })
    for (let i = 0; i < 1500; i++) {
      const { value } = await changes.next()
      expect(value?.operations).toMatchObject([{ type: 'put', key: `key ${i}` }])
    }
    expect((await watch.next()).value).toMatchObject({ key: 'key 1499' })
    writer.send({ from: 1500, to: 1501 })
    expect((await changes.next()).value?.operations).toMatchObject([{ key: 'key 1500' }])
    writer.disconnect()
    await once(writer, 'exit')
    const before = fingerprint(path)
    await reader.refresh()
    expect(await commitsOf(reader)).toHaveLength(1501)
    expect(fingerprint(path)).toEqual(before)
    await reader.close()
    await following
  })

  it('goes on behind the death of its writer', async () => {
    const path = directory()
    const first = await startWriter(path)
    await using reader = await open(path, { readOnly: true })
    const following = reader.follow({ intervalMs: 20 })
    const changes = reader.changes({ since: 0 })
    first.send({ from: 0, to: 300 })
    for (let i = 0; i < 300; i++) expect((await changes.next()).value?.operations).toMatchObject([{ key: `key ${i}` }])
    const exited = once(first, 'exit')
    first.kill('SIGKILL')
    await exited
    const second = await startWriter(path)
    second.send({ from: 300, to: 600, flush: true })
    for (let i = 300; i < 600; i++)
      expect((await changes.next()).value?.operations).toMatchObject([{ key: `key ${i}` }])
    await reader.close()
    await following
  })
})
