import { describe, expect, it } from 'vitest'
import { compareKeys } from '../../../src/bytes/compare.js'
import { open, type Tuple, type TupleValue, tuples } from '../../../src/index.js'
import { decodeTuple, encodeTuple, tupleRange } from '../../../src/store/indexes/tuple.js'
import { withSeeds } from '../../simulation/reproduce.js'
import type { SeededRandom } from '../../simulation/seeded-random.js'

const NUMBERS = [
  0,
  1,
  2,
  255,
  256,
  65_535,
  2 ** 31,
  2 ** 53,
  2 ** 53 - 1,
  1e300,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  0.1,
  1 / 3,
]
const CHARACTERS = ['\0', '\x01', '\x04', '\x1a', '\x1b', '\x1c', ' ', 'a', 'b', '\x7f', 'é', '\uffff', '😀']

function drawValue(random: SeededRandom): TupleValue {
  const kind = random.below(10)
  if (kind === 0) return null
  if (kind === 1) return random.chance(0.5)
  if (kind < 6) {
    const number = random.chance(0.5) ? random.pick(NUMBERS) : (random.fraction() - 0.5) * 10 ** random.between(-20, 20)
    return random.chance(0.3) ? -number : random.chance(0.1) ? random.pick([Infinity, -Infinity]) : number
  }
  const length = random.chance(0.02) ? 300 : random.below(4)
  return Array.from({ length }, () => random.pick(CHARACTERS)).join('')
}

const KINDS = ['null', 'false', 'true', 'number', 'string']

function kindOf(value: TupleValue): number {
  return KINDS.indexOf(value === null ? 'null' : typeof value === 'boolean' ? String(value) : typeof value)
}

/** The order that the documentation promises, by other means. */
function compareValues(a: TupleValue, b: TupleValue): number {
  if (kindOf(a) !== kindOf(b)) return kindOf(a) - kindOf(b)
  if (typeof a === 'number') return a - (b as number) || 0
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  return 0
}

function compareTuples(a: Tuple, b: Tuple): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareValues(a[i]!, b[i]!)
    if (order !== 0) return Math.sign(order)
  }
  return Math.sign(a.length - b.length)
}

const drawTuple = (random: SeededRandom): Tuple => Array.from({ length: random.below(4) }, () => drawValue(random))

/** Another tuple that has much in common with one. */
function neighbour(random: SeededRandom, tuple: Tuple): Tuple {
  const changed = [...tuple]
  const at = random.below(changed.length + 1)
  const value = changed[at]
  if (typeof value === 'string' && random.chance(0.5)) changed[at] = value + random.pick(CHARACTERS)
  else if (typeof value === 'number' && Number.isFinite(value) && random.chance(0.5))
    changed[at] = value * (1 + 2 ** -52)
  else if (random.chance(0.3)) changed.length = at
  else changed[at] = drawValue(random)
  return changed
}

describe('tuples as bytes', () => {
  it('order as the tuples do, and come back as they were', () =>
    withSeeds(10, (random) => {
      for (let i = 0; i < 2000; i++) {
        const a = drawTuple(random)
        const b = random.chance(0.7) ? neighbour(random, a) : drawTuple(random)
        const [encodedA, encodedB] = [encodeTuple(a), encodeTuple(b)]
        const where = `${JSON.stringify(a)} and ${JSON.stringify(b)}`
        expect(Math.sign(compareKeys(encodedA, encodedB)), where).toBe(compareTuples(a, b))
        expect(decodeTuple(encodedA), where).toEqual(a.map((value) => (Object.is(value, -0) ? 0 : value)))
      }
    }))

  it('begin with the bytes of what the tuple begins with, and of nothing else', () =>
    withSeeds(5, (random) => {
      for (let i = 0; i < 2000; i++) {
        const a = drawTuple(random)
        const b = random.chance(0.7) ? neighbour(random, a) : drawTuple(random)
        const begins = b.length <= a.length && compareTuples(a.slice(0, b.length), b) === 0
        const [whole, part] = [encodeTuple(a), encodeTuple(b)]
        expect(
          compareKeys(whole.subarray(0, part.length), part) === 0,
          `${JSON.stringify(a)} ${JSON.stringify(b)}`,
        ).toBe(begins)
        const { start, end } = tupleRange({ prefix: b })
        const isWithin = compareKeys(whole, start) >= 0 && (end === undefined || compareKeys(whole, end) < 0)
        expect(isWithin).toBe(begins)
      }
    }))

  it('are refused for what has no place in their order', () => {
    const refused: unknown[] = [
      undefined,
      Number.NaN,
      10n,
      new Date(),
      new Uint8Array(1),
      [1],
      {},
      Symbol.for('a'),
      '\ud800',
      'a\udc00',
    ]
    for (const value of refused) {
      expect(() => encodeTuple([value as string])).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    }
    expect(() => encodeTuple('text' as never)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    expect(encodeTuple([-0])).toEqual(encodeTuple([0]))
  })

  it('are keys', async () => {
    const db = await open(':memory:', { keyEncoding: tuples })
    for (const key of [['b', 2], ['a', 10], ['a', -1], ['a', 9.5], [null], []]) await db.put(key, 'x')
    expect(await db.keys().toArray()).toEqual([[], [null], ['a', -1], ['a', 9.5], ['a', 10], ['b', 2]])
    expect(await db.keys({ prefix: ['a'] }).toArray()).toEqual([
      ['a', -1],
      ['a', 9.5],
      ['a', 10],
    ])
    await db.close()
  })
})
