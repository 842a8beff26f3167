import { once } from 'node:events'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { FAREWELL_MS, SILENCE_MS } from '../../../src/fs/directory-lock.js'
import { diskFileSystem } from '../../../src/fs/disk-file-system.js'
import { type Database, open } from '../../../src/index.js'
import { SimulatedMachine } from '../../fs/lock/simulated-machine.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { temporaryDirectories } from '../temporary.js'
import {
  ACKNOWLEDGED,
  CALLS,
  CLOCK,
  keyOf,
  OPENED,
  PLACES,
  RUNNING,
  STATE,
  STOP_AT,
  STOPPED,
  textOf,
} from './stoppable.mjs'

/*
 * A writer is stopped before any one of its calls to the file system, for longer than a beat. Meanwhile another machine takes the store
 * over and writes. Then the first one wakes up and goes on from where it was.
 *
 * Whatever that call was: the one that woke up acknowledges nothing more and changes no byte of what the other one relies on; and what
 * either of them has acknowledged is there when the store is opened again, in order or after a crash.
 */

const PROGRAM = new URL('./stoppable-writer.mjs', import.meta.url)
const WRITES = 120
const THEIRS = 60
const newPath = temporaryDirectories()

interface Ended {
  readonly code: string | undefined
  /** Calls that were to be refused and were not. */
  readonly late: number
}

/** A writer on a thread of its own. */
class StoppableWriter {
  readonly control = new Int32Array(new SharedArrayBuffer(4 * PLACES))
  private readonly worker: Worker
  readonly ended: Promise<Ended>
  private isOver = false

  constructor(directory: string, stopAt: number) {
    this.control[STOP_AT] = stopAt
    const machine = { pid: 7, host: 'elsewhere', boot: 'of its own', pidNamespace: 'pid:[7]', startTicks: '7' }
    this.worker = new Worker(PROGRAM, {
      workerData: { control: this.control, directory, machine, writes: WRITES },
      execArgv: [],
    })
    this.ended = once(this.worker, 'message').then(([message]) => message as Ended)
    this.ended.finally(() => (this.isOver = true)).catch(() => {})
  }

  get acknowledged(): number {
    return Atomics.load(this.control, ACKNOWLEDGED)
  }

  /** Resolves when it has stopped, or has come to its end without. */
  async stopped(): Promise<void> {
    while (!this.isOver && Atomics.load(this.control, STATE) !== STOPPED) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /** Wakes it up, so much later; from then on time goes on for it, and for another machine. */
  async wake(laterMs: number, other?: SimulatedMachine): Promise<Ended> {
    Atomics.add(this.control, CLOCK, laterMs)
    Atomics.store(this.control, STATE, RUNNING)
    Atomics.notify(this.control, STATE)
    while (!this.isOver) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      Atomics.add(this.control, CLOCK, 10)
      other?.clock.advance(10)
    }
    const ended = await this.ended
    await this.worker.terminate()
    return ended
  }
}

async function openOn(machine: SimulatedMachine, directory: string): Promise<Database> {
  const { clock } = machine
  const options = { fs: machine.on(diskFileSystem), clock, executor: 'inline', writeBufferBytes: 64 * 1024 } as const
  const opening = open(directory, options)
  await machine.passUntil(opening)
  return opening
}

async function write(db: Database, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await db.put(keyOf('b', i), textOf('b', i), { sync: i % 5 === 0 })
}

async function expectAll(db: Database, a: number, b: number): Promise<void> {
  for (let i = 0; i < a; i++) expect(await db.get(keyOf('a', i)), `a ${i}`).toBe(textOf('a', i))
  for (let i = 0; i < b; i++) expect(await db.get(keyOf('b', i)), `b ${i}`).toBe(textOf('b', i))
  // A table that the one that woke up was just writing is nobody's.
  const { findings } = await db.verify()
  expect(findings.filter(({ problem }) => !problem.startsWith('it belongs to nothing'))).toEqual([])
}

function contents(directory: string): Map<string, string> {
  return new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'latin1')]))
}

async function overtake(stopAt: number, isIdle: boolean): Promise<void> {
  const directory = newPath()
  const crashed = newPath()
  const a = new StoppableWriter(directory, stopAt)
  await a.stopped()
  const b = new SimulatedMachine()
  const db = await openOn(b, directory)
  await write(db, 0, THEIRS)
  // Its own jobs change files as well, unless they are done.
  if (isIdle) await db.idle()
  const { acknowledged } = a
  const wasOpen = Atomics.load(a.control, OPENED) === 1
  const before = contents(directory)
  const { code, late } = await a.wake(SILENCE_MS + FAREWELL_MS + 1000, b)
  expect(a.acknowledged, 'writes that were acknowledged after the store had another holder').toBe(acknowledged)
  expect(late).toBe(0)
  if (wasOpen && acknowledged < WRITES) expect(code).toBe('SILT_FENCED')
  else expect([undefined, 'SILT_FENCED', 'SILT_LOCKED']).toContain(code)
  const after = contents(directory)
  for (const [name, content] of before) {
    // It beats.
    if (isIdle && name !== 'LOCK' && after.has(name))
      expect(after.get(name) === content, `${name} is as it was`).toBe(true)
  }
  await write(db, THEIRS, THEIRS + 5)
  cpSync(directory, crashed, { recursive: true })
  await expectAll(db, acknowledged, THEIRS + 5)
  await db.compact()
  await db.close()
  for (const path of [directory, crashed]) {
    const again = await openOn(new SimulatedMachine(), path)
    await expectAll(again, acknowledged, THEIRS + 5)
    await again.idle()
    expect(await again.verify()).toMatchObject({ ok: true, findings: [] })
    await again.close()
    rmSync(path, { recursive: true })
  }
}

it('loses nothing, and changes nothing, wherever a writer is stopped while another takes its place', async () => {
  const directory = newPath()
  const undisturbed = new StoppableWriter(directory, 0)
  expect(await undisturbed.wake(0)).toEqual({ code: undefined, late: 0 })
  expect(undisturbed.acknowledged).toBe(WRITES)
  expect(existsSync(join(directory, 'LOCK'))).toBe(true)
  const calls = undisturbed.control[CALLS]!
  expect(calls).toBeGreaterThan(300)
  // All of them, from the one that is named: some ten minutes.
  const first = Number(process.env['SILTSTONE_ALL_STOPS'] ?? 0)
  const stops = first === 0 ? 2 : calls
  await withSeeds(stops === calls ? 1 : 6, async (random, seed) => {
    for (let i = Math.max(1, first); i <= stops; i++) {
      const stopAt = stops === calls ? i : 1 + random.below(calls)
      try {
        await overtake(stopAt, i % 2 === 0)
      } catch (error) {
        if (error instanceof Error) error.message += `\nStopped before call ${stopAt} of ${calls}, seed ${seed}`
        throw error
      }
    }
  })
}, 600_000)
