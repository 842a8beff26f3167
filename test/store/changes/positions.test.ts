import { describe, expect, it } from 'vitest'
import { type Commit, type Database, MemoryFileSystem, type OpenOptions, open } from '../../../src/index.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { commitsOf } from './replica.js'

/*
 * `changes({ since })` for every whole number there is: what comes is each commit whose position is behind it, in order, or it is said that
 * the log does not have them. Nothing is left out without a word, wherever in a record, a header or a gap the number lies.
 */

const KEPT: OpenOptions = { executor: 'inline', logRetention: { bytes: Number.POSITIVE_INFINITY } }

/** Commits of several kinds and lengths, those of messages among them, which the feed does not show. */
async function writeSome(db: Database, name: string): Promise<void> {
  await db.put(`${name} short`, '')
  await db.batch().put(`${name} a`, '1').del(`${name} b`).put(`${name} c`, 'c'.repeat(40)).write()
  await db.queue('jobs').send(name)
  await db.clear({ prefix: `${name} a` })
  await db.put(`${name} long`, 'x'.repeat(120))
}

/** What a loop over the feed gets, or the code it fails with. */
async function after(db: Database, since: number): Promise<readonly number[] | string> {
  try {
    return (await commitsOf(db, since)).map(({ position }) => position)
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** Looks from every position between two. Returns those that are said to be gone. */
async function checkAll(db: Database, all: readonly number[], from: number, to: number): Promise<number[]> {
  const gone: number[] = []
  for (let since = from; since <= to; since++) {
    const found = await after(db, since)
    if (found === 'SILT_GONE') gone.push(since)
    else expect(found, `since ${since}`).toEqual(all.filter((position) => position > since))
  }
  return gone
}

async function positionsOf(db: Database): Promise<number[]> {
  return (await commitsOf(db, 'oldest')).map(({ position }) => position)
}

describe('changes({ since }) from every position', () => {
  it('in the memory of one segment', async () => {
    await using db = await open(':memory:')
    await writeSome(db, 'first')
    await writeSome(db, 'second')
    const all = await positionsOf(db)
    expect(all).toHaveLength(8)
    expect(await checkAll(db, all, 0, db.stats().log.position)).toEqual([])
  })

  it('across segments, those in files and the one in memory, and for a reader beside the writer', async () => {
    const fs = new MemoryFileSystem()
    await using db = await open('/store', { fs, ...KEPT })
    for (const name of ['first', 'second']) {
      await writeSome(db, name)
      await db.flush()
    }
    await writeSome(db, 'third')
    const all = await positionsOf(db)
    expect(all).toHaveLength(12)
    expect(await checkAll(db, all, 0, db.stats().log.position)).toEqual([])
    await using reader = await open('/store', { fs, readOnly: true })
    expect(await checkAll(reader, all, 0, db.stats().log.position)).toEqual([])
  })

  it('where the older part is not kept', async () => {
    await using db = await open('/store', { fs: new MemoryFileSystem(), executor: 'inline' })
    await writeSome(db, 'first')
    await db.flush()
    const { oldestPosition } = db.stats().log
    await writeSome(db, 'second')
    const all = await positionsOf(db)
    expect(all).toHaveLength(4)
    const gone = await checkAll(db, all, 0, db.stats().log.position)
    expect(gone).toEqual(Array.from({ length: oldestPosition }, (_, position) => position))
  })

  /** Positions that were lost with the power are not given out again: the log goes on far behind them. */
  it('around the gap that a crash leaves', async () => {
    const disk = new SimulatedDisk(7)
    const options = { ...KEPT, writeBufferBytes: 64 * 1024 }
    const before = await open('/store', { fs: disk, ...options })
    await writeSome(before, 'first')
    await before.put('kept', '', { sync: true })
    const kept = before.stats().log.position
    const crashed = disk.crash()
    await using db = await open('/store', { fs: crashed, ...options })
    await writeSome(db, 'second')
    const all = await positionsOf(db)
    expect(all).toHaveLength(9)
    const first = all.find((position) => position > kept)!
    expect(await checkAll(db, all, 0, kept)).toEqual([])
    const gap = await checkAll(db, all, kept + 1, kept + 200)
    expect(gap).toHaveLength(200)
    const gone = await checkAll(db, all, first - 200, db.stats().log.position)
    for (const since of gone) expect(since).toBeLessThan(first)
  })

  it('for a loop that goes on with what is still to come', async () => {
    await using db = await open(':memory:')
    await writeSome(db, 'first')
    const all = await positionsOf(db)
    const { position } = db.stats().log
    const loops = Array.from({ length: position + 1 }, (_, since) => db.changes({ since }))
    await db.put('last', '')
    const last = db.stats().log.position
    for (const [since, loop] of loops.entries()) {
      const found: number[] = []
      let next: IteratorResult<Commit>
      do {
        next = await loop.next()
        found.push((next.value as Commit).position)
      } while (found.at(-1) !== last)
      await loop.return?.()
      expect(found, `since ${since}`).toEqual([...all, last].filter((each) => each > since))
    }
  })

  it('refuses one that the log has not reached', async () => {
    await using db = await open(':memory:')
    await writeSome(db, 'first')
    expect(await after(db, db.stats().log.position + 1)).toBe('SILT_INVALID_ARGUMENT')
  })
})

describe('log.read({ from }) from every offset', () => {
  it('shows each entry from there on, also where the beginning was trimmed away', async () => {
    await using db = await open(':memory:')
    const log = db.log('log')
    await log.appendMany(Array.from({ length: 100 }, (_, i) => `entry ${i}`))
    for (const first of [0, 37]) {
      if (first > 0) await log.trim({ before: first })
      for (let from = 0; from <= 101; from++) {
        const offsets: number[] = []
        for await (const { offset } of log.read({ from })) offsets.push(offset)
        const start = Math.max(from, first)
        expect(offsets, `from ${from}`).toEqual(Array.from({ length: Math.max(0, 100 - start) }, (_, i) => start + i))
      }
    }
  })
})
