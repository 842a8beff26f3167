import { expect } from 'vitest'
import { SiltstoneError } from '../../src/index.js'
import type { Call } from './fault-plan.js'
import { newPast, Scribe } from './scribe.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedDisk } from './simulated-disk.js'
import type { Workload } from './workloads.js'

/** What one call of the file system can be made to do instead. */
type Fault = 'EIO' | 'ENOSPC' | 'EMFILE' | 'short'

/** What can befall a call. A read fails for one reason only; what makes something finds no space or no descriptor. */
function faultsOf({ kind, detail }: Call): readonly Fault[] {
  if (kind === 'write') return ['EIO', 'ENOSPC', 'short']
  if (kind === 'open') return detail === 'create' ? ['EIO', 'ENOSPC', 'EMFILE'] : ['EIO', 'EMFILE']
  if (kind === 'makeDirectory') return ['EIO', 'ENOSPC']
  // A lock that cannot be given back is held for as long as the process lives, and so no other session can follow.
  if (kind === 'unlock') return []
  return ['EIO']
}

interface CountedCall extends Call {
  /** Counted from 1 among the calls of its kind. */
  readonly numberOfKind: number
}

export interface FaultTally {
  /** Calls that were made to fail, each in every way in which it can. */
  faults: number
  /** Errors that reached whoever used the store. */
  errors: number
  /** Sessions that an fsync ended for writing. */
  failed: number
}

export interface FaultPlan {
  readonly workload: Workload
  readonly seed: number
  /** Every so many calls one that fails. */
  readonly stride: number
}

/** Runs a workload again and again, each time with another call that fails, until every call had its turn. */
export async function faultSweep(plan: FaultPlan): Promise<FaultTally> {
  const { workload, seed, stride } = plan
  const calls = await callsOf(plan)
  const tally: FaultTally = { faults: 0, errors: 0, failed: 0 }
  const problems: string[] = []
  const random = new SeededRandom(seed)
  for (let i = random.below(stride); i < calls.length; i += stride) {
    const call = calls[i]!
    for (const fault of faultsOf(call)) {
      const where = `${workload.name}: ${fault} at call ${call.number} of ${calls.length}, ${call.kind} ${call.path} ${call.detail}`
      try {
        await faultAt(plan, call, fault, tally)
      } catch (error) {
        problems.push(`${where}\n${error instanceof Error ? error.stack : String(error)}`)
      }
    }
  }
  // Faults that have one cause are best seen together.
  if (problems.length > 0) expect.fail(`${problems.length} faults were not borne:\n${problems.slice(0, 5).join('\n')}`)
  return tally
}

/** All calls of the workload when nothing fails. */
export async function callsOf({ workload, seed }: FaultPlan): Promise<CountedCall[]> {
  const calls: CountedCall[] = []
  const disk = new SimulatedDisk(seed)
  const scribe = new Scribe(disk, newPast(workload.options))
  const note = disk.onCall
  disk.onCall = (call) => {
    calls.push({ ...call, numberOfKind: disk.callCountOf(call.kind) })
    note?.(call)
  }
  await scribe.open()
  await workload.run(scribe, new SeededRandom(seed))
  return calls
}

/** One session with one fault, and what is left of the store afterwards: in this process, and in the next. */
export async function faultAt(
  { workload, seed }: FaultPlan,
  call: CountedCall,
  fault: Fault,
  tally: FaultTally,
): Promise<void> {
  const disk = new SimulatedDisk(seed)
  if (fault === 'short') disk.shortWriteAtCall(call.numberOfKind)
  else disk.failCall(call.number, fault)
  const past = newPast(workload.options)
  const scribe = new Scribe(disk, past)
  const codes: string[] = []
  scribe.onRefusal = (error) => {
    expectSpoken(error)
    codes.push(error.code)
  }
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  try {
    tally.faults++
    await scribe.open()
    await workload.run(scribe, new SeededRandom(seed))
    if (!scribe.isOpen) await scribe.open()
    const hasFailed = codes.includes('SILT_FAILED')
    tally.errors += codes.length
    if (hasFailed) tally.failed++
    await expectUsable(scribe, codes)
    await scribe.close()
  } finally {
    process.off('unhandledRejection', note)
  }
  expect(unhandled, 'rejections that nobody could catch').toEqual([])
  const next = new Scribe(disk.processDeath(), past, scribe.clock.now())
  await next.open({ recovery: 'strict' })
  await next.check(next.history.length)
  await next.put('after', next.value(), { sync: true })
  await next.idle()
  const { findings } = await next.until(next.db.verify())
  expect(findings, 'what verify finds').toEqual([])
  await next.close()
}

/** The store shows exactly what it has accepted, and takes more, or says why it does not. */
async function expectUsable(scribe: Scribe, codes: readonly string[]): Promise<void> {
  const { history } = scribe
  await scribe.check(history.length)
  const before = codes.length
  await scribe.put('after', scribe.value(), { sync: true })
  await scribe.flush()
  await scribe.compact('major')
  await scribe.idle()
  await scribe.check(history.length)
  const refusals = codes.slice(before)
  if (refusals.length > 0) expect(refusals[0], 'what a store that does not go on says').toBe('SILT_FAILED')
}

const SAYABLE = ['SILT_IO', 'SILT_NO_SPACE', 'SILT_FAILED', 'SILT_NOT_OPEN']

/** An error that a person can do something with. */
function expectSpoken(error: unknown): asserts error is SiltstoneError {
  if (!(error instanceof SiltstoneError)) throw error
  expect(SAYABLE, error.message).toContain(error.code)
  expect(error.message.length, 'a sentence').toBeGreaterThan(20)
}
