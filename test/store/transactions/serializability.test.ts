import { describe, expect, it } from 'vitest'
import { type Database, open, SiltstoneError } from '../../../src/index.js'
import { withSeeds } from '../../simulation/reproduce.js'
import type { SeededRandom } from '../../simulation/seeded-random.js'

/*
 * Random transactions over a handful of keys run at the same time. What each of them saw and wrote must be what it would have seen
 * and written had the committed ones run one after the other, in the order of their commits.
 */

const KEYS = ['a', 'b', 'c', 'd', 'e']
const TRANSACTIONS = 40
const AT_ONCE = 6

interface ScanStep {
  readonly do: 'scan'
  readonly from: string
  readonly to: string
  readonly reverse: boolean
  readonly limit: number
}

/** What a transaction does: the same to the store and to a map. */
type Step =
  | { readonly do: 'get'; readonly key: string }
  | { readonly do: 'put'; readonly key: string }
  | { readonly do: 'del'; readonly key: string }
  | ScanStep
  | { readonly do: 'clear'; readonly from: string; readonly to: string }

interface Program {
  readonly id: number
  readonly steps: readonly Step[]
  readonly writes: boolean
}

/** Where a program runs. */
interface Place {
  get(key: string): string | undefined | Promise<string | undefined>
  put(key: string, value: string): unknown
  del(key: string): unknown
  clear(from: string, to: string): unknown
  scan(step: ScanStep): string[] | Promise<string[]>
}

/** Runs a program; what it writes depends on all that it has read. Returns that. */
async function run({ id, steps, writes }: Program, place: Place, pause: () => Promise<void>): Promise<string> {
  let seen = ''
  for (const [i, step] of steps.entries()) {
    await pause()
    if (step.do === 'get') seen += `${step.key}=${await place.get(step.key)};`
    else if (step.do === 'scan') seen += `[${(await place.scan(step)).join()}];`
    else if (step.do === 'put') await place.put(step.key, `${id}.${i}:${digest(seen)}`)
    else if (step.do === 'del') await place.del(step.key)
    else await place.clear(step.from, step.to)
  }
  // Its place in the order of commits; nobody reads it.
  if (writes) await place.put(`~${id}`, seen)
  return seen
}

function digest(text: string): number {
  let hash = 7
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) | 0
  return hash >>> 0
}

function drawProgram(random: SeededRandom, id: number): Program {
  const writes = random.chance(0.8)
  const steps = Array.from({ length: random.between(1, 6) }, (): Step => {
    const key = random.pick(KEYS)
    const [from, to] = [random.pick(KEYS), random.pick(KEYS)].sort() as [string, string]
    if (writes && random.chance(0.5)) {
      if (random.chance(0.15)) return { do: 'clear', from, to }
      return { do: random.chance(0.8) ? 'put' : 'del', key }
    }
    if (random.chance(0.6)) return { do: 'get', key }
    return { do: 'scan', from, to, reverse: random.chance(0.5), limit: random.pick([1, 2, 10]) }
  })
  return { id, steps, writes }
}

class Model implements Place {
  readonly entries = new Map<string, string>()

  get(key: string): string | undefined {
    return this.entries.get(key)
  }

  put(key: string, value: string): void {
    this.entries.set(key, value)
  }

  del(key: string): void {
    this.entries.delete(key)
  }

  clear(from: string, to: string): void {
    for (const key of [...this.entries.keys()]) if (key >= from && key < to) this.entries.delete(key)
  }

  scan({ from, to, reverse, limit }: ScanStep): string[] {
    const keys = [...this.entries.keys()].filter((key) => key >= from && key < to).sort()
    return (reverse ? keys.reverse() : keys).slice(0, limit).map((key) => `${key}=${this.entries.get(key)}`)
  }
}

async function runInStore(
  db: Database,
  program: Program,
  pause: () => Promise<void>,
  retries: number,
): Promise<string> {
  return db.transaction(
    (tx) =>
      run(
        program,
        {
          get: (key) => tx.get(key),
          put: (key, value) => tx.put(key, value),
          del: (key) => tx.del(key),
          clear: (gte, lt) => tx.clear({ gte, lt }),
          scan: async ({ from, to, reverse, limit }) => {
            const entries = await tx.entries({ gte: from, lt: to, reverse, limit }).toArray()
            return entries.map(([key, value]) => `${key}=${value}`)
          },
        },
        pause,
      ),
    { retries },
  )
}

const noPause = async (): Promise<void> => {}

describe('serializable transactions', () => {
  it('do what they would do one after the other', () =>
    withSeeds(25, async (random) => {
      const db = await open(':memory:', {
        executor: 'inline',
        writeBufferBytes: 64 * 1024,
        logRetention: { bytes: 2 ** 30 },
      })
      const pause = async (): Promise<void> => {
        if (random.chance(0.02)) await db.flush()
        if (random.chance(0.01)) await db.compact()
        for (let turns = random.below(3); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
      }
      const seen = new Map<number, string>()
      const programs = Array.from({ length: TRANSACTIONS }, (_, id) => drawProgram(random, id))
      let conflicts = 0
      let next = 0
      const worker = async (): Promise<void> => {
        while (next < programs.length) {
          const program = programs[next++]!
          try {
            seen.set(program.id, await runInStore(db, program, pause, random.pick([0, 3])))
          } catch (error) {
            if (!(error instanceof SiltstoneError) || error.code !== 'SILT_CONFLICT') throw error
            conflicts++
          }
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))

      const order: number[] = []
      for await (const { operations } of db.changes({ since: 0, follow: false })) {
        for (const change of operations) {
          if (change.type === 'put' && change.key.startsWith('~')) order.push(Number(change.key.slice(1)))
        }
      }
      const writers = programs.filter(({ id, writes }) => writes && seen.has(id)).map(({ id }) => id)
      expect(order.toSorted((a, b) => a - b)).toEqual(writers)
      const readers = new Set(programs.filter(({ id, writes }) => !writes && seen.has(id)))
      const model = new Model()
      const letReadersRead = async (): Promise<void> => {
        for (const reader of readers)
          if ((await run(reader, model, noPause)) === seen.get(reader.id)) readers.delete(reader)
      }
      await letReadersRead()
      for (const id of order) {
        expect(await run(programs[id]!, model, noPause), `transaction ${id} of ${order.join()}`).toBe(seen.get(id))
        await letReadersRead()
      }
      expect(await db.entries().toArray()).toEqual([...model.entries].sort(([a], [b]) => (a < b ? -1 : 1)))
      // One that only reads fits somewhere.
      expect([...readers]).toEqual([])
      expect(conflicts + seen.size).toBe(TRANSACTIONS)
      await db.close()
    }))
})
