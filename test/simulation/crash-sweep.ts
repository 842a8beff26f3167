import { expect } from 'vitest'
import { CURRENT, LOCK, segmentName, tableName } from '../../src/tree/file-names.js'
import { isOwnFile } from '../../src/tree/own-files.js'
import { newPast, type Past, Scribe, STORE } from './scribe.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedDisk } from './simulated-disk.js'
import { shortLife, type Workload } from './workloads.js'

/** How a session ended against its will. */
export type End = 'power loss' | 'process death'

/** What was tried. */
export interface SweepTally {
  /** Calls at which a session was stopped. */
  crashPoints: number
  /** Crashes in all: several outcomes of each, and those of recoveries. */
  crashes: number
}

export interface SweepPlan {
  readonly workload: Workload
  readonly seed: number
  /** Every so many calls a crash. */
  readonly stride: number
  /** How many of the states that a loss of power could leave are tried for each crash. */
  readonly outcomes: number
  /** Puts something between the store and the disk. */
  readonly wrap?: (disk: SimulatedDisk) => SimulatedDisk
}

/**
 * Runs a workload again and again and stops it at one call of the file system after the other, first by a loss of power and then
 * by the death of the process. What comes back is opened, now and then crashed again while it is being opened, and checked.
 */
export async function crashSweep(plan: SweepPlan): Promise<SweepTally> {
  const { workload, seed, stride, outcomes } = plan
  const tally: SweepTally = { crashPoints: 0, crashes: 0 }
  const calls = await callsOf(plan)
  const random = new SeededRandom(seed)
  for (let call = 1 + random.below(stride); call <= calls; call += stride) {
    tally.crashPoints++
    for (let outcome = 0; outcome <= outcomes; outcome++) {
      const end: End = outcome < outcomes ? 'power loss' : 'process death'
      try {
        tally.crashes += await crashAt(plan, call, end, new SeededRandom(seed * 1_000_003 + call * 101 + outcome))
      } catch (error) {
        throw explained(error, `${workload.name}: ${end} at call ${call} of ${calls}, outcome ${outcome}`)
      }
    }
  }
  return tally
}

function explained(error: unknown, where: string): unknown {
  if (error instanceof Error) error.message = `${where}\n${error.message}`
  return error
}

/** How many calls the workload makes when nothing happens to it. */
async function callsOf(plan: SweepPlan): Promise<number> {
  const disk = newDisk(plan)
  const scribe = new Scribe(disk, newPast(plan.workload.options))
  await scribe.open()
  await plan.workload.run(scribe, new SeededRandom(plan.seed))
  return disk.callCount
}

function newDisk({ seed, wrap = (disk) => disk }: SweepPlan, crashAt?: number): SimulatedDisk {
  const disk = new SimulatedDisk(seed)
  if (crashAt !== undefined) disk.crashAtCall(crashAt)
  return wrap(disk)
}

/** One history: the workload up to a crash, recoveries that may crash too, and a life that ends in order. Returns how many crashes. */
async function crashAt(plan: SweepPlan, call: number, end: End, random: SeededRandom): Promise<number> {
  const { workload, wrap = (disk: SimulatedDisk) => disk } = plan
  const past = newPast(workload.options)
  let disk = newDisk(plan, call)
  const first = new Scribe(disk, past)
  let now = await endOf(first, async () => {
    await first.open()
    await workload.run(first, new SeededRandom(plan.seed))
  })
  let crashes = 1
  for (; random.chance(0.4) && crashes < 4; crashes++) {
    disk = wrap(after(disk, end))
    // A recovery takes some 30 calls, a short life another hundred.
    disk.crashAtCall(random.chance(0.6) ? random.between(1, 30) : random.between(30, 200))
    const next = new Scribe(disk, past, now)
    now = await endOf(next, async () => {
      await openAndCheck(next, end)
      await shortLife(next, random)
      await next.close()
    })
  }
  disk = wrap(after(disk, end))
  await liveOn(disk, past, now, end, random)
  return crashes
}

function after(disk: SimulatedDisk, end: End): SimulatedDisk {
  return end === 'power loss' ? disk.crash() : disk.processDeath()
}

/** Lives until the disk crashes or all is done; says what time it is then. */
async function endOf(scribe: Scribe, live: () => Promise<void>): Promise<number> {
  try {
    await live()
  } catch (error) {
    if (!scribe.disk.crashed) throw error
  }
  scribe.past.ledger.settle()
  return scribe.clock.now()
}

/** What recovery makes of the disk breaks no promise, and from then on is all there ever was. */
async function openAndCheck(scribe: Scribe, end: End): Promise<void> {
  const { history } = scribe
  await scribe.open({ recovery: 'strict' })
  const { losses, kept } = scribe.db.recovery
  expect(
    losses.filter(({ kind }) => kind === 'rot'),
    'a crash is not taken for rot',
  ).toEqual([])
  expect(kept, 'a crash leaves nothing to keep').toEqual([])
  history.cutTo(await scribe.check(end === 'power loss' ? history.durable : history.acknowledged))
}

/** A life without any crash: all is well, stays well, and leaves no litter. */
async function liveOn(disk: SimulatedDisk, past: Past, now: number, end: End, random: SeededRandom): Promise<void> {
  const scribe = new Scribe(disk, past, now)
  const { history } = scribe
  await openAndCheck(scribe, end)
  await scribe.close()
  await scribe.open()
  expect(scribe.db.recovery.losses, 'after a clean close nothing is lost').toEqual([])
  await scribe.check(history.length)
  await scribe.checkChanges()
  await shortLife(scribe, random)
  await scribe.check(history.length)
  await scribe.checkChanges()
  await scribe.idle()
  const { findings } = await scribe.until(scribe.db.verify())
  expect(findings, 'what verify finds').toEqual([])
  const named = filesNamed(scribe)
  await scribe.close()
  expectFiles(disk, named)
  await scribe.open()
  expect(scribe.db.recovery.losses, 'after a clean close nothing is lost').toEqual([])
  await scribe.check(history.length)
  await scribe.close()
}

/** What the store needs, and so what may be in its directory when it is at rest. */
function filesNamed({ db: { engine } }: Scribe): string[] {
  const { forest, segments, retained } = engine
  const tables = [...forest.trees.values()].flatMap((tree) => tree.version.metas().flat())
  return [
    CURRENT,
    ...tables.map(({ number }) => tableName(number)),
    ...segments.map(({ number }) => segmentName(number)),
    ...retained.segments.map(({ number }) => segmentName(number)),
  ]
}

function expectFiles(disk: SimulatedDisk, named: readonly string[]): void {
  const files = [...disk.snapshotFiles()]
  const current = files.find(([path]) => path === `${STORE}/${CURRENT}`)![1]
  const manifest = Buffer.from(current).toString().trim()
  // A table that was cut short in its first block could be another program's, and stays.
  const own = files.filter(([path]) => isOwnFile(disk, path))
  const left = own.map(([path]) => path.slice(STORE.length + 1)).filter((name) => name !== LOCK)
  expect(left.toSorted(), 'the files of a store at rest').toEqual([...named, manifest].toSorted())
}
