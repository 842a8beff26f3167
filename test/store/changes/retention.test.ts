import { describe, expect, it } from 'vitest'
import { type Database, type LogRetention, MemoryFileSystem, type OpenOptions, open } from '../../../src/index.js'
import { verifyStore } from '../../../src/store/verify.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { commitsOf } from './replica.js'

const ALL: LogRetention = { bytes: Number.POSITIVE_INFINITY }

function openIn(fs: MemoryFileSystem, options: OpenOptions = {}): Promise<Database> {
  return open('/store', { fs, executor: 'inline', writeBufferBytes: 64 * 1024, ...options })
}

/** One segment's worth of commits, in tables when this resolves. */
async function fillSegment(db: Database, name: string): Promise<void> {
  for (let i = 0; i < 10; i++) await db.put(`${name} ${i}`, 'x'.repeat(100))
  await db.flush()
}

function keysOf(commits: Awaited<ReturnType<typeof commitsOf>>): string[] {
  return commits.flatMap(({ operations }) => operations.map((each) => ('key' in each ? each.key : each.type)))
}

function segmentFilesIn(fs: MemoryFileSystem): string[] {
  return fs.listSync('/store').filter((name) => name.endsWith('.log'))
}

describe('logRetention', () => {
  it('keeps nothing where it is not asked for', async () => {
    const fs = new MemoryFileSystem()
    await using db = await openIn(fs)
    await db.put('a', '1')
    expect(db.stats().log).toMatchObject({ retainedBytes: 0, oldestPosition: 0 })
    await db.flush()
    expect(segmentFilesIn(fs)).toHaveLength(1)
    const { oldestPosition, position } = db.stats().log
    expect(oldestPosition).toBeGreaterThan(0)
    await expect(commitsOf(db, 0)).rejects.toMatchObject({ code: 'SILT_GONE' })
    expect(await commitsOf(db, 'oldest')).toEqual([])
    // Nothing came between the end of the flushed part and the oldest that is kept.
    expect(await commitsOf(db, oldestPosition)).toEqual([])
    await expect(commitsOf(db, oldestPosition - 1)).rejects.toMatchObject({ code: 'SILT_GONE' })
    expect(await commitsOf(db, position)).toEqual([])
  })

  it('keeps everything where there is no end to it, through reopening', async () => {
    const fs = new MemoryFileSystem()
    const expected: string[] = []
    for (let session = 0; session < 3; session++) {
      await using db = await openIn(fs, { logRetention: ALL })
      for (let i = 0; i < 3; i++) {
        await fillSegment(db, `${session}.${i}`)
        expected.push(...Array.from({ length: 10 }, (_, n) => `${session}.${i} ${n}`))
      }
      await db.compact()
      expect(keysOf(await commitsOf(db, 0))).toEqual(expected)
      const { findings } = await db.verify()
      expect(findings).toEqual([])
      expect(db.stats().log).toMatchObject({ oldestPosition: 0, segments: 1 })
    }
    expect(segmentFilesIn(fs)).toHaveLength(10)
    expect((await verifyStore('/store', { fs })).findings).toEqual([])
    await using db = await openIn(fs)
    expect(segmentFilesIn(fs), 'opened without the option').toHaveLength(1)
    expect(db.stats().log.retainedBytes).toBe(0)
    expect(db.countSync()).toBe(90)
  })

  it('keeps at most so many bytes, the newest of them', async () => {
    const fs = new MemoryFileSystem()
    await using db = await openIn(fs, { logRetention: { bytes: 4000 } })
    const oldest: number[] = []
    for (let i = 0; i < 6; i++) {
      await fillSegment(db, String(i))
      const { retainedBytes, oldestPosition } = db.stats().log
      expect(retainedBytes).toBeLessThanOrEqual(4000)
      oldest.push(oldestPosition)
    }
    expect(db.stats().log.retainedBytes).toBeGreaterThan(2000)
    expect(oldest).toEqual(oldest.toSorted((a, b) => a - b))
    expect(keysOf(await commitsOf(db, 'oldest'))[0]).toBe('4 0')
    await expect(commitsOf(db, 0)).rejects.toMatchObject({ code: 'SILT_GONE' })
  })

  it('keeps what is younger than so long, and lets the rest go with a flush or at open', async () => {
    const fs = new MemoryFileSystem()
    const clock = new ManualClock()
    const options = { clock, logRetention: { age: 1000 } }
    const db = await openIn(fs, options)
    await fillSegment(db, 'a')
    clock.advance(600)
    await fillSegment(db, 'b')
    clock.advance(399)
    await fillSegment(db, 'c')
    expect(keysOf(await commitsOf(db, 0))).toHaveLength(30)
    clock.advance(1)
    await fillSegment(db, 'd')
    expect(keysOf(await commitsOf(db, 'oldest'))[0]).toBe('b 0')
    await db.close()
    clock.advance(600)
    await using reopened = await openIn(fs, options)
    expect(keysOf(await commitsOf(reopened, 'oldest'))[0]).toBe('c 0')
  })

  it('takes both limits, and refuses what limits nothing', async () => {
    const fs = new MemoryFileSystem()
    const clock = new ManualClock()
    await using db = await openIn(fs, { clock, logRetention: { age: 1000, bytes: 4000 } })
    for (const name of ['a', 'b', 'c', 'd']) await fillSegment(db, name)
    expect(keysOf(await commitsOf(db, 'oldest'))[0]).toBe('c 0')
    clock.advance(2000)
    await fillSegment(db, 'e')
    expect(keysOf(await commitsOf(db, 'oldest'))[0]).toBe('e 0')
    for (const logRetention of [{}, { age: -1 }, { bytes: '1' }, { bytse: 1 }, 5]) {
      await expect(openIn(fs, { logRetention: logRetention as object })).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
      })
    }
  })
})

describe('a reader of changes that is too slow', () => {
  it('is told as soon as what it has not seen is gone, and not before', async () => {
    const fs = new MemoryFileSystem()
    await using db = await openIn(fs, { logRetention: { bytes: 4000 } })
    const slow = db.changes({ since: 0 })
    const done = db.changes({ since: 0 })
    await fillSegment(db, 'a')
    expect((await slow.next()).value?.operations[0]).toMatchObject({ key: 'a 0' })
    for (let i = 0; i < 10; i++) await done.next()
    await fillSegment(db, 'b')
    await fillSegment(db, 'c')
    expect(keysOf(await commitsOf(db, 'oldest'))[0]).toBe('b 0')
    // All of the first segment was read in one slice, so nothing is missing yet for either of them.
    for (let i = 1; i < 10; i++) expect((await slow.next()).value?.operations[0]).toMatchObject({ key: `a ${i}` })
    expect((await done.next()).value?.operations[0]).toMatchObject({ key: 'b 0' })
    await fillSegment(db, 'd')
    await expect(slow.next()).rejects.toMatchObject({ code: 'SILT_GONE' })
    for (let i = 1; i < 10; i++) expect((await done.next()).value?.operations[0]).toMatchObject({ key: `b ${i}` })
    expect((await done.next()).value?.operations[0]).toMatchObject({ key: 'c 0' })
  })

  it('is no reason to hold more than a slice of the log in memory', async () => {
    let decoded = 0
    const counting = {
      encode: (text: string) => text,
      decode: (bytes: Uint8Array) => {
        decoded += bytes.length
        return bytes.length
      },
    }
    const fs = new MemoryFileSystem()
    await using db = await open<string, unknown>('/store', {
      fs,
      executor: 'inline',
      writeBufferBytes: 64 * 1024,
      logRetention: ALL,
      valueEncoding: counting as never,
    })
    for (let i = 0; i < 3000; i++) await db.put(`key ${i}`, 'x'.repeat(1000))
    const changes = db.changes({ since: 0 })
    for (let i = 0; i < 500; i++) {
      expect((await changes.next()).value?.operations[0]).toMatchObject({ key: `key ${i}` })
      expect(decoded).toBeLessThan((i + 2) * 1000 + 64 * 1024)
    }
  })

  it('gets commits that are larger than anything that is read at once', async () => {
    const fs = new MemoryFileSystem()
    await using db = await openIn(fs, { logRetention: ALL })
    const big = 'y'.repeat(300_000)
    for (let i = 0; i < 3; i++) {
      await db.put(`before ${i}`, '')
      await db.batch([
        { type: 'put', key: `big ${i}`, value: big },
        { type: 'put', key: `second ${i}`, value: big },
      ])
      await db.flush()
    }
    await db.put('in memory', big)
    const commits = await commitsOf(db)
    expect(commits).toHaveLength(7)
    for (const { operations } of commits.filter((each) => each.operations.length === 2)) {
      for (const operation of operations) expect(operation.type === 'put' && operation.value === big).toBe(true)
    }
  })

  it('is told of damage in what is kept, with the place', async () => {
    const fs = new MemoryFileSystem()
    await using db = await openIn(fs, { logRetention: ALL })
    await fillSegment(db, 'a')
    const path = `/store/${segmentFilesIn(fs).sort()[0]}`
    const file = fs.openSync(path, 'update')
    file.writeSync(Uint8Array.of(0xff), 0, 1, 300)
    file.closeSync()
    const changes = db.changes({ since: 0 })
    await changes.next()
    const failure = (async () => {
      for await (const commit of changes) expect(commit.operations).toHaveLength(1)
    })()
    await expect(failure).rejects.toMatchObject({ code: 'SILT_CORRUPTION', file: path, offset: expect.any(Number) })
    expect((await db.verify()).findings).toMatchObject([{ file: path }])
    expect(db.getSync('a 3')).toBe('x'.repeat(100))
  })
})
