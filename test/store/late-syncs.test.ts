import { describe, expect, it } from 'vitest'
import type { FileHandle, OpenMode } from '../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { type Database, open } from '../../src/index.js'
import { SeededRandom } from '../simulation/seeded-random.js'

/*
 * Writers of all kinds, with syncs of the commit log that end when the test says so, in any order with what else happens, and one of which
 * fails. Whichever that is: every promise settles, nothing is acknowledged as synced that is not on disk, after the failure nothing
 * is written, and what was refused does not come back.
 *
 *   A N   put with sync, put without           B M   putSync with sync, without
 *   Q     send with sync                       F     flush, which begins a new segment
 *   R     the sync that is on its way ends     T     a turn of the loop
 *
 * SILTSTONE_LATE_SYNCS=20000 npx vitest run … goes through that many scripts; SILTSTONE_SEED=… begins elsewhere.
 */

const STEPS = ['A', 'N', 'B', 'M', 'Q', 'F', 'R', 'T'] as const
const SCRIPTS = Number(process.env['SILTSTONE_LATE_SYNCS'] ?? 30)
const SEED = Number(process.env['SILTSTONE_SEED'] ?? Date.now() % 1e9)

/** A pool sync that the test ends. */
interface PendingSync {
  end(): void
}

/**
 * A disk that loses the dirty pages of a file when a sync of it fails, and says so once, to that sync: others that run meanwhile, or come
 * later, succeed and mean nothing for those pages.
 */
class FailingDisk extends MemoryFileSystem {
  readonly pending: PendingSync[] = []
  /** Which sync of the log fails, counted from 0. */
  failing = Number.POSITIVE_INFINITY
  isArmed = false
  syncs = 0
  hasFailed = false
  /** Keys, by what has become of them: they are looked for in the files. */
  private readonly safe = new Set<string>()
  private readonly lost = new Set<string>()

  override openSync(path: string, mode: OpenMode) {
    const handle = super.openSync(path, mode)
    if (!path.endsWith('.log')) return handle
    handle.sync = () => this.syncLater(handle)
    handle.syncSync = () => this.syncNow(handle)
    return handle
  }

  isSafe(key: string): boolean {
    return this.safe.has(key)
  }

  private syncNow(handle: FileHandle): void {
    const end = this.begin(handle)
    end()
  }

  private syncLater(handle: FileHandle): Promise<void> {
    const end = this.begin(handle)
    if (!this.isArmed) return Promise.resolve(end())
    return new Promise((resolve, reject) => {
      this.pending.push({
        end: () => {
          try {
            resolve(end())
          } catch (error) {
            reject(error)
          }
        },
      })
    })
  }

  /** Takes note of what a sync covers. Returns its end. */
  private begin(handle: FileHandle): () => void {
    const covered = keysIn(handle).filter((key) => !this.lost.has(key))
    if (!this.isArmed || this.syncs++ !== this.failing) {
      return () => {
        for (const key of covered) if (!this.lost.has(key)) this.safe.add(key)
      }
    }
    for (const key of covered) if (!this.safe.has(key)) this.lost.add(key)
    return () => {
      this.hasFailed = true
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
    }
  }
}

function keysIn(handle: FileHandle): string[] {
  const bytes = new Uint8Array(Math.min(handle.sizeSync(), 16 * 1024))
  handle.readSync(bytes, 0, bytes.length, 0)
  return [...new Set(Buffer.from(bytes).toString('latin1').match(/<\d+>/g) ?? [])]
}

interface Write {
  readonly key: string
  readonly sync: boolean
  readonly isSend: boolean
  outcome: 'waiting' | 'acknowledged' | string
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What a store holds of the keys of the test. */
async function contentOf(db: Database): Promise<unknown> {
  const { sent, depth } = db.queue('jobs').stats()
  const bodies = (await db.queue('jobs').peek({ max: 100 })).map(({ body }) => body)
  return { keys: db.keys({ prefix: '<' }).toArraySync(), sent, depth, bodies }
}

/** Goes through a script. Returns how many syncs there were. */
async function run(script: string, failing: number): Promise<number> {
  const disk = new FailingDisk()
  const db = await open('/store', { fs: disk, executor: 'inline' })
  await db.put('warm', '1', { sync: true })
  await db.queue('jobs').send('warm', { sync: true })
  disk.isArmed = true
  disk.failing = failing
  const writes: Write[] = []
  const others: Promise<unknown>[] = []
  const settles = (write: Write, promise: Promise<unknown>): void => {
    promise
      .then(
        () => {
          write.outcome = 'acknowledged'
          if (write.sync) expect(disk.isSafe(write.key), `${write.key} was acknowledged as synced`).toBe(true)
        },
        (error) => {
          write.outcome = error.code
        },
      )
      .catch((error) => {
        write.outcome = error.message
      })
  }
  for (const step of script) {
    const write: Write = {
      key: `<${writes.length}>`,
      sync: 'ABQ'.includes(step),
      isSend: step === 'Q',
      outcome: 'waiting',
    }
    const { sync } = write
    const wasFailed = disk.hasFailed
    if ('ANBMQ'.includes(step)) writes.push(write)
    if (step === 'A' || step === 'N') settles(write, db.put(write.key, '', { sync }))
    else if (step === 'Q') settles(write, db.queue('jobs').send(write.key, { sync }))
    else if (step === 'B' || step === 'M') {
      try {
        db.putSync(write.key, '', { sync })
        write.outcome = 'acknowledged'
        if (sync) expect(disk.isSafe(write.key), `${write.key} returned as synced`).toBe(true)
      } catch (error) {
        write.outcome = (error as { code: string }).code
      }
    } else if (step === 'F') others.push(db.flush().catch(() => {}))
    else {
      if (step === 'R') disk.pending.shift()?.end()
      await turn()
    }
    if (wasFailed && 'BM'.includes(step)) expect(write.outcome).toBe('SILT_FAILED')
  }
  const endAll = async (): Promise<void> => {
    for (let quiet = 0; quiet < 4; quiet++) {
      await turn()
      for (const sync of disk.pending.splice(0)) {
        sync.end()
        quiet = 0
      }
    }
  }
  await endAll()
  await Promise.all(others)
  for (const { key, outcome } of writes) expect(['acknowledged', 'SILT_FAILED'], key).toContain(outcome)
  if (disk.hasFailed) await expect(db.put('more', '')).rejects.toMatchObject({ code: 'SILT_FAILED' })
  else expect(writes.every(({ outcome }) => outcome === 'acknowledged')).toBe(true)
  const before = await contentOf(db)
  for (const { key, outcome, isSend } of writes) {
    if (outcome === 'acknowledged' && !isSend) expect(before).toMatchObject({ keys: expect.arrayContaining([key]) })
  }
  const hadFailed = disk.hasFailed
  const closed = Promise.allSettled([db.close()])
  await endAll()
  const [{ status }] = await closed
  // Only a sync of its own makes closing fail.
  expect(status).toBe(disk.hasFailed && !hadFailed ? 'rejected' : 'fulfilled')
  disk.isArmed = false
  const again = await open('/store', { fs: disk, executor: 'inline' })
  // What is visible without a sync is in the file: only a loss of power takes it.
  expect(await contentOf(again)).toEqual(before)
  await again.close()
  return disk.syncs
}

async function runAll(script: string): Promise<void> {
  const count = await run(script, Number.POSITIVE_INFINITY)
  for (let failing = 0; failing < count; failing++) {
    try {
      await run(script, failing)
    } catch (error) {
      throw new Error(`script ${script}, sync ${failing} fails: ${(error as Error).message}`, { cause: error })
    }
  }
}

describe('syncs that fail late', () => {
  it('leave no write unsettled, and acknowledge nothing that is not safe', async () => {
    for (const script of ['ATBATR', 'ATBATRR', 'ATQTBQTR', 'ATMQTFR', 'ANTNFATR', 'QTBR', 'ATMATBR', 'AFATR']) {
      await runAll(script)
    }
  })

  it('however they are interleaved', async () => {
    console.log(`late syncs: SILTSTONE_SEED=${SEED}`)
    const random = new SeededRandom(SEED)
    for (let i = 0; i < SCRIPTS; i++) {
      const length = random.between(3, 9)
      await runAll(Array.from({ length }, () => random.pick(STEPS)).join(''))
    }
  })

  /** A failure while the store is being closed leaves no clean end behind. */
  it('while the store is being closed, settle all and end as a crash would', async () => {
    const disk = new FailingDisk()
    const db = await open('/store', { fs: disk, executor: 'inline' })
    await db.put('warm', '1', { sync: true })
    disk.isArmed = true
    disk.failing = 0
    const refused = db.put('<0>', '', { sync: true })
    await turn()
    const behind = db.put('<1>', '', { sync: true })
    const closed = db.close()
    await turn()
    disk.pending.shift()!.end()
    const results = await Promise.allSettled([refused, behind, closed])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
    disk.isArmed = false
    const again = await open('/store', { fs: disk, executor: 'inline' })
    expect(again.engine.forest.clean).toBeNull()
    expect(again.keys().toArraySync()).toEqual(['warm'])
    await again.close()
  })
})
