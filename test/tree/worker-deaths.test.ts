import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'

/*
 * Stores whose worker does not start, or dies in the middle of something: whatever it does, no write fails, none is lost, no promise form
 * stops the event loop, and closing works.
 */

const { stand } = vi.hoisted(() => ({ stand: { file: undefined as URL | undefined } }))
vi.mock('../../src/bytes/file-beside.js', () => ({ fileBeside: () => stand.file }))

const WORKER = new URL('../../dist/src/tree/siltstone-worker.js', import.meta.url).href

let directory: string
let messages: { problem: string; reason: string }[]
const hear = (message: unknown): void => {
  messages.push(message as { problem: string; reason: string })
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'siltstone-workers-'))
  messages = []
  subscribe('siltstone:worker', hear)
})
afterEach(() => {
  unsubscribe('siltstone:worker', hear)
  rmSync(directory, { recursive: true, force: true })
})

function useWorker(code: string): void {
  const path = join(directory, 'worker.mjs')
  writeFileSync(path, code)
  stand.file = pathToFileURL(path)
}

/** The worker as it is, but for the `count`th call of the file system that it makes: there each of the first `lives` ends as `end` says. */
function dyingAt(count: number, end: string, lives = 1): string {
  return `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    let left = Number.POSITIVE_INFINITY
    for (const name of ['openSync', 'writeSync', 'fdatasyncSync', 'fsyncSync', 'closeSync', 'unlinkSync']) {
      const real = fs[name]
      fs[name] = (...given) => {
        if (--left === 0) {
          const mark = ${JSON.stringify(directory)} + '/lives'
          const lives = fs.existsSync(mark) ? fs.statSync(mark).size : 0
          if (lives < ${lives}) {
            fs.appendFileSync(mark, '.')
            ${end}
          }
        }
        return real(...given)
      }
    }
    syncBuiltinESMExports()
    await import(${JSON.stringify(WORKER)})
    left = ${count}`
}

const VALUE = 'v'.repeat(1000)
const COUNT = 400
const OPTIONS = { writeBufferBytes: 64 * 1024 }

async function fill(db: Database): Promise<void> {
  for (let i = 0; i < COUNT; i++) await db.put(`key ${i}`, `${VALUE} ${i}`)
}

function fillSync(db: Database): void {
  for (let i = 0; i < COUNT; i++) db.putSync(`key ${i}`, `${VALUE} ${i}`)
}

async function expectAll(db: Database): Promise<void> {
  expect(await db.count()).toBe(COUNT)
  for (let i = 0; i < COUNT; i += 7) expect(db.getSync(`key ${i}`)).toBe(`${VALUE} ${i}`)
}

/** A compaction that a worker died of is tried again. */
async function settled(db: Database): Promise<void> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await db.idle()
    } catch (error) {
      if (attempts === 5) throw error
    }
  }
}

async function expectSound(db: Database): Promise<void> {
  await expectAll(db)
  await db.flush()
  await settled(db)
  expect(await db.verify()).toMatchObject({ ok: true })
  await expectAll(db)
  await db.close()
  const again = await open(join(directory, 'store'), { ...OPTIONS, executor: 'inline' })
  await expectAll(again)
  expect(await again.verify()).toMatchObject({ ok: true })
  await again.close()
}

const starts: Record<string, string> = {
  'throws when it is loaded': `throw new Error('no such luck')`,
  'exits when it is loaded': `process.exit(3)`,
  'imports what is not there': `import './not-there.mjs'`,
}

describe('a worker that does not start', () => {
  it.each(Object.entries(starts))('because it %s is done without', async (_, code) => {
    useWorker(code)
    const db = await open(join(directory, 'store'), OPTIONS)
    await fill(db)
    expect(db.stats().flushes.count).toBeGreaterThan(0)
    expect(db.stats().failures).toBe(0)
    while (messages.length === 0) await new Promise(setImmediate)
    expect(messages[0]).toMatchObject({ problem: 'not started' })
    await expectSound(db)
  })

  it.each(Object.entries(starts))('because it %s holds up no writer that stands still for it', async (_, code) => {
    useWorker(code)
    const db = await open(join(directory, 'store'), OPTIONS)
    fillSync(db)
    expect(db.stats().flushes.count).toBeGreaterThan(0)
    await expectSound(db)
  })

  it('and never says so is given up by the clock', async () => {
    useWorker('setInterval(() => {}, 1000)')
    const clock = new ManualClock()
    const db = await open(join(directory, 'store'), { ...OPTIONS, clock })
    const flushed = db.put('a', '1').then(() => db.flush())
    while (db.stats().running.length === 0) await new Promise(setImmediate)
    clock.advance(60_000)
    await flushed
    expect(messages[0]).toMatchObject({ problem: 'not started' })
    expect(db.stats().executor).toBe('inline')
    await db.close()
  })

  it('and never says so is no reason not to close', async () => {
    useWorker('setInterval(() => {}, 1000)')
    const db = await open(join(directory, 'store'), OPTIONS)
    fillSync(db)
    expect(db.stats().flushes.count).toBeGreaterThan(0)
    await db.close()
  })

  it('because there is none is done without from the beginning', async () => {
    stand.file = undefined
    const db = await open(join(directory, 'store'), OPTIONS)
    expect(messages).toMatchObject([{ directory: join(directory, 'store'), problem: 'missing' }])
    expect(db.stats().executor).toBe('inline')
    await fill(db)
    await expectSound(db)
  })

  it('at first is tried again', async () => {
    // Fails as long as a file stands beside it.
    const flag = join(directory, 'broken')
    writeFileSync(flag, '')
    useWorker(`
      import { existsSync } from 'node:fs'
      if (existsSync(${JSON.stringify(flag)})) throw new Error('not yet')
      await import(${JSON.stringify(WORKER)})`)
    const db = await open(join(directory, 'store'), OPTIONS)
    await fill(db)
    expect(db.stats().executor).toBe('inline')
    rmSync(flag)
    for (let i = 0; i < 1000 && db.stats().executor === 'inline'; i++) {
      await db.put('key 0', `${VALUE} 0`)
      await db.flush()
    }
    expect(db.stats().executor).toBe('worker')
    await expectSound(db)
  })
})

describe('a worker that dies in a job', () => {
  const ends: Record<string, string> = {
    'with its last word': 'process.exit(1)',
    'without a word': "process.removeAllListeners('exit'); process.exit(1)",
    'of an error': "process.nextTick(() => { throw new Error('an error') })",
  }
  const steps = [1, 2, 3, 5, 8, 13, 21]

  it.each(steps)('at step %i loses and stops nothing', async (step) => {
    useWorker(dyingAt(step, ends['with its last word']!))
    const db = await open(join(directory, 'store'), OPTIONS)
    await fill(db)
    while (messages.length === 0) {
      await db.put('key 0', `${VALUE} 0`)
      await db.flush()
    }
    expect(messages[0]).toMatchObject({ problem: 'died' })
    await expectSound(db)
  })

  it.each(Object.entries(ends))('%s holds up no writer that stands still for it', async (_, end) => {
    useWorker(dyingAt(4, end))
    const db = await open(join(directory, 'store'), OPTIONS)
    fillSync(db)
    await expectSound(db)
  })

  it('again and again is done without', async () => {
    useWorker(dyingAt(2, ends['with its last word']!, 1000))
    const db = await open(join(directory, 'store'), OPTIONS)
    await fill(db)
    await expectSound(db)
    expect(messages.length).toBeGreaterThan(2)
  })
})
