import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { addPool, DescriptorReserve, pooledDescriptors, removePool, withDescriptors } from '../../src/fs/descriptors.js'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { type Database, open } from '../../src/index.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

const run = promisify(execFile)

function diskWith(...names: string[]): SimulatedDisk {
  const disk = new SimulatedDisk(1)
  disk.makeDirectorySync('/a')
  for (const name of names) disk.openSync(`/a/${name}`, 'create').closeSync()
  return disk
}

describe('a file system that opens what it can', () => {
  it('has pools close files until it can, and throws when they have none', async () => {
    const disk = diskWith('file')
    const fs = withDescriptors(disk)
    const held = [1, 2, 3].map(() => disk.openSync('/a/file', 'read'))
    disk.descriptorLimit = 3
    const pool = {
      giveWay(): boolean {
        const handle = held.pop()
        handle?.closeSync()
        return handle !== undefined
      },
    }
    addPool(pool)
    try {
      const opened = [fs.openSync('/a/file', 'read'), fs.openSync('/a/file', 'read'), fs.openSync('/a/file', 'read')]
      expect(held).toEqual([])
      expect(() => fs.openSync('/a/file', 'read')).toThrow('EMFILE')
      for (const handle of opened) handle.closeSync()
    } finally {
      removePool(pool)
    }
  })

  it('uses a reserve last, which is filled again', () => {
    const disk = diskWith('file')
    const fs = withDescriptors(disk)
    const reserve = new DescriptorReserve(fs, '/a/file')
    reserve.fill()
    disk.descriptorLimit = disk.openHandles
    const handle = fs.openSync('/a/file', 'read')
    expect(reserve.release(), 'it was given away').toBe(false)
    reserve.fill()
    expect(reserve.release(), 'there is none to be had').toBe(false)
    handle.closeSync()
    reserve.fill()
    expect(reserve.release()).toBe(true)
  })

  it('is one for each, so that two places can be compared', () => {
    const disk = diskWith()
    expect(withDescriptors(disk)).toBe(withDescriptors(disk))
    expect(withDescriptors(withDescriptors(disk))).toBe(withDescriptors(disk))
    expect(withDescriptors(diskFileSystem)).not.toBe(withDescriptors(disk))
  })

  it('leaves others most of what a process may have', () => {
    expect(pooledDescriptors()).toBeGreaterThanOrEqual(8)
    if (process.platform !== 'linux') return
    expect(pooledDescriptors()).toBeLessThan(Number.POSITIVE_INFINITY)
  })
})

const SPACES = 24
const VALUE = 'v'.repeat(300)
const OPTIONS = { executor: 'inline', writeBufferBytes: 64 * 1024 } as const

/** A store of more tables than some processes may open. */
async function filledDisk(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(1)
  const db = await open('/store', { fs: disk, ...OPTIONS })
  for (let i = 0; i < SPACES; i++) await db.keyspace(`space ${i}`).put('old', String(i))
  await db.flush()
  await db.close()
  return disk
}

/** Lives in every way that needs files; what each step failed with, if it did. */
async function live(db: Database, written: Map<string, string>): Promise<string[]> {
  const codes: string[] = []
  const attempt = async (step: () => Promise<unknown>): Promise<boolean> => {
    try {
      await step()
      return true
    } catch (error) {
      codes.push((error as { code: string }).code)
      return false
    }
  }
  for (let i = 0; i < SPACES; i++) {
    await attempt(async () => expect(await db.keyspace(`space ${i}`).get('old')).toBe(String(i)))
  }
  for (let i = 0; i < 600; i++) {
    if (await attempt(() => db.put(`new ${i}`, `${VALUE} ${i}`, { sync: i % 50 === 0 })))
      written.set(`new ${i}`, `${VALUE} ${i}`)
  }
  await attempt(() => db.flush())
  await attempt(() => db.compact())
  for (let i = 0; i < SPACES; i++) await attempt(() => db.keyspace(`space ${i}`).count())
  return codes
}

describe('a store in a process that may open few files', () => {
  it('does everything above a small number, says SILT_IO below it, and loses nothing', {
    timeout: 60_000,
  }, async () => {
    const outcomes: string[] = []
    for (let limit = 1; limit <= 20; limit++) {
      const disk = await filledDisk()
      const written = new Map<string, string>()
      let outcome = 'well'
      disk.descriptorLimit = limit
      try {
        const db = await open('/store', { fs: disk, ...OPTIONS })
        const codes = await live(db, written)
        expect(
          codes.filter((code) => code !== 'SILT_IO'),
          `with ${limit}`,
        ).toEqual([])
        if (codes.length > 0) outcome = 'refused'
        await db.close()
        expect(disk.openHandles, `with ${limit}`).toBe(0)
      } catch (error) {
        expect((error as { code?: string }).code, `with ${limit}: ${error}`).toBe('SILT_IO')
        expect((error as Error).message).toContain('ulimit')
        outcome = 'not opened'
      }
      outcomes.push(outcome)
      disk.descriptorLimit = Number.POSITIVE_INFINITY
      const db = await open('/store', { fs: disk, ...OPTIONS })
      for (let i = 0; i < SPACES; i++) expect(await db.keyspace(`space ${i}`).get('old')).toBe(String(i))
      for (const [key, value] of written) expect(await db.get(key), `with ${limit}`).toBe(value)
      expect(await db.verify()).toMatchObject({ ok: true })
      await db.close()
    }
    // Nothing works with one, everything with a dozen, and in between it only gets better.
    expect(outcomes[0]).toBe('not opened')
    expect(outcomes.slice(11)).toEqual(outcomes.slice(11).map(() => 'well'))
    const ranks = outcomes.map((outcome) => ['not opened', 'refused', 'well'].indexOf(outcome))
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
  })

  it('closes while the program has taken all there are', async () => {
    const disk = await filledDisk()
    const db = await open('/store', { fs: disk, ...OPTIONS })
    for (let i = 0; i < SPACES; i++) await db.keyspace(`space ${i}`).get('old')
    await db.put('a', '1')
    disk.descriptorLimit = disk.openHandles
    await db.close()
    disk.descriptorLimit = Number.POSITIVE_INFINITY
    const again = await open('/store', { fs: disk, ...OPTIONS })
    expect(await again.get('a')).toBe('1')
    expect(again.recovery.losses).toEqual([])
    await again.close()
  })

  it('says how many files of tables it has open', async () => {
    const disk = await filledDisk()
    const db = await open('/store', { fs: disk, ...OPTIONS, maxOpenFiles: 8 })
    for (let i = 0; i < SPACES; i++) await db.keyspace(`space ${i}`).get('old')
    expect(db.stats().tableFiles).toEqual({ open: 8, capacity: 8 })
    disk.descriptorLimit = disk.openHandles
    await db.flush()
    await db.put('a', '1')
    await db.flush()
    expect(db.stats().tableFiles.capacity).toBeLessThan(8)
    disk.descriptorLimit = Number.POSITIVE_INFINITY
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < SPACES; i++) db.keyspace(`space ${i}`).getSync(`not there ${round}`)
    }
    await db.close()
  })

  // Linux tells a process what its limit is, and lets it be lowered for a test.
  it.runIf(process.platform === 'linux')(
    'under a real limit flushes in a worker beside hundreds of tables',
    async () => {
      const home = mkdtempSync(join(tmpdir(), 'siltstone-descriptors-'))
      try {
        const program = join(home, 'program.mjs')
        const index = pathToFileURL(join(process.cwd(), 'dist/src/index.js')).href
        writeFileSync(
          program,
          `
        import { readdirSync, readFileSync } from 'node:fs'
        const { open } = await import(${JSON.stringify(index)})
        const options = { writeBufferBytes: 1 << 16 }
        const path = ${JSON.stringify(join(home, 'store'))}
        const first = await open(path, options)
        for (let i = 0; i < 200; i++) await first.keyspace('space ' + i).put('k', 'v')
        await first.flush()
        await first.close()
        const db = await open(path, options)
        for (let i = 0; i < 200; i++) await db.keyspace('space ' + i).get('k')
        const held = readdirSync('/proc/self/fd').length
        readFileSync('/proc/self/limits')
        for (let i = 0; i < 1000; i++) await db.put('key ' + i, 'v'.repeat(500))
        await db.flush()
        const { tableFiles, executor, failures } = db.stats()
        await db.close()
        console.log(JSON.stringify({ held, tableFiles, executor, failures }))`,
        )
        const { stdout } = await run('bash', ['-c', 'ulimit -n 128 && exec "$0" "$1"', process.execPath, program], {
          timeout: 60_000,
        })
        const { held, tableFiles, executor, failures } = JSON.parse(stdout)
        expect(held).toBeLessThan(90)
        expect(tableFiles.capacity).toBe(32)
        expect({ executor, failures }).toEqual({ executor: 'worker', failures: 0 })
      } finally {
        rmSync(home, { recursive: true, force: true })
      }
    },
  )
})
