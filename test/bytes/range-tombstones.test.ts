import { expect, test } from 'vitest'
import { RangeTombstones } from '../../src/bytes/range-tombstones.js'
import { seededRandom } from '../table/random.js'

const key = (text: string): Uint8Array => new TextEncoder().encode(text)

function covering(tombstones: RangeTombstones, at: Uint8Array, limit = Number.MAX_SAFE_INTEGER): number {
  return tombstones.coveringPosition(at, 0, at.length, limit)
}

test('a range covers its start and not its end', () => {
  const tombstones = new RangeTombstones()
  tombstones.add(key('b'), key('d'), 7)
  expect(['a', 'b', 'c', 'cz', 'd'].map((at) => covering(tombstones, key(at)))).toEqual([0, 7, 7, 7, 0])
})

test('a range without an end covers every later key', () => {
  const tombstones = new RangeTombstones()
  tombstones.add(key('b'), undefined, 7)
  expect(covering(tombstones, key('a'))).toBe(0)
  expect(covering(tombstones, new Uint8Array(100).fill(0xff))).toBe(7)
})

test('an empty or inverted range covers nothing', () => {
  const tombstones = new RangeTombstones()
  tombstones.add(key('b'), key('b'), 7)
  tombstones.add(key('c'), key('b'), 8)
  expect(tombstones.size).toBe(0)
})

test('a reader below the newest tombstone still sees the older one', () => {
  const tombstones = new RangeTombstones()
  tombstones.add(key('a'), key('z'), 10)
  tombstones.add(key('m'), key('n'), 20)
  expect(covering(tombstones, key('m'))).toBe(20)
  expect(covering(tombstones, key('m'), 20)).toBe(10)
  expect(covering(tombstones, key('m'), 10)).toBe(0)
})

test('ten thousand neighbouring ranges stay ten thousand fragments', () => {
  const tombstones = new RangeTombstones()
  for (let i = 0; i < 10_000; i++) {
    tombstones.add(key(String(i).padStart(6, '0')), key(String(i + 1).padStart(6, '0')), i + 1)
  }
  expect(tombstones.size).toBe(10_000)
  expect(covering(tombstones, key('004711'))).toBe(4712)
})

test('bytes that are not range tombstones are refused', () => {
  const tombstones = new RangeTombstones()
  tombstones.add(key('a'), key('c'), 300)
  tombstones.add(key('b'), undefined, 200)
  const bytes = tombstones.encode()
  for (let end = 0; end < bytes.length; end++) {
    expect(() => RangeTombstones.decode(bytes, 0, end)).toThrow()
  }
})

test('random ranges answer as a list of all of them does, also clipped, merged and written out', () => {
  const random = seededRandom('range tombstones')
  for (let round = 0; round < 60; round++) {
    const bounds = random.integer(2, 30)
    const list: { start: number; end: number; position: number }[] = []
    const halves = [new RangeTombstones(), new RangeTombstones()]
    const asKey = (n: number): Uint8Array => Uint8Array.of(n >> 1, ...(n & 1 ? [0] : []))
    for (let i = random.integer(0, 40); i > 0; i--) {
      const range = {
        start: random.integer(0, bounds),
        end: random.integer(0, bounds + 4),
        position: random.integer(1, 50),
      }
      if (range.end > bounds) range.end = Number.POSITIVE_INFINITY
      list.push(range)
      const end = range.end === Number.POSITIVE_INFINITY ? undefined : asKey(range.end)
      halves[i % 2]!.add(asKey(range.start), end, range.position)
    }
    const merged = new RangeTombstones()
    for (const half of halves) merged.addAll(half)
    const encoded = merged.encode()
    const decoded = RangeTombstones.decode(encoded, 0, encoded.length)
    const [from, to] = [random.integer(0, bounds), random.integer(0, bounds)]
    const clipped = merged.clip(asKey(from), asKey(to))
    for (let n = 0; n <= bounds + 1; n++) {
      const limit = random.integer(0, 60)
      const right = Math.max(
        0,
        ...list.filter((r) => r.start <= n && n < r.end && r.position < limit).map((r) => r.position),
      )
      expect(covering(merged, asKey(n), limit)).toBe(right)
      expect(covering(decoded, asKey(n), limit)).toBe(right)
      expect(covering(clipped, asKey(n), limit)).toBe(from <= n && n < to ? right : 0)
    }
    for (let i = 1; i < merged.size; i++) {
      expect(Buffer.compare(merged.fragmentEnd(i - 1)!, merged.fragmentStart(i))).toBeLessThanOrEqual(0)
    }
  }
})
