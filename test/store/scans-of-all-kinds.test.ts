import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { type Database, open, type Scan } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { type SeededRandom, seededRandom } from '../table/random.js'

/*
 * Scans decode the texts of neighbours together where they are ASCII, and pass on to entries that are sure to be seen without a look
 * at anything else. Here keys and values of every kind are neighbours, and what comes out is held to a model that decodes one by one.
 */

interface Held {
  readonly key: Buffer
  readonly value: Buffer
  readonly expiresAt: number
}
type Model = ReadonlyMap<string, Held>
type Store = Database<Buffer, Buffer>

const USUAL_VALUE_BYTES = [0, 10, 100, 130, 600]
const ODD_VALUE_BYTES = [0, 1, 12, 13, 127, 128, 1000, 2047, 2048, 2049, 9000]

/** Bytes of one kind: ASCII, any bytes, or text with characters of several bytes, cut anywhere. */
function bytesOf(random: SeededRandom, kind: number, length: number): Buffer {
  if (kind === 0) return Buffer.from(Array.from({ length }, () => random.integer(0, 0x7f)))
  if (kind === 1) return Buffer.from(random.bytes(length))
  return Buffer.from(random.pick(['é', 'aé', '漢字', '😀', 'a😀é漢', '\ufeff']).repeat(length)).subarray(0, length)
}

function randomKey(random: SeededRandom): Buffer {
  if (random.integer(0, 9) < 7) return Buffer.from(`user:${String(random.integer(0, 2000)).padStart(12, '0')}`)
  return bytesOf(random, random.integer(0, 2), random.pick([0, 1, 2, 3, 5, 12, 13, 14, 40, 300]))
}

/** Most are alike, so that there are runs of them; others stand in between. */
function randomValue(random: SeededRandom, usual: number): Buffer {
  if (random.integer(0, 15) > 0) return bytesOf(random, 0, usual)
  return bytesOf(random, random.integer(0, 2), random.pick(ODD_VALUE_BYTES))
}

/** What `toEqual` asks, which takes its time for thousands of buffers. */
function expectSame(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected)
}

/** The rest of a scan, taken in one of the ways there are. */
async function drain<T>(random: SeededRandom, scan: Scan<never, T>): Promise<T[]> {
  const all: T[] = []
  const way = random.integer(0, 4)
  if (way === 0) return scan.toArraySync()
  if (way === 1) for (const each of scan) all.push(each)
  else if (way === 2) for await (const each of scan) all.push(each)
  else {
    for (let count = 0; all.length === count; ) {
      const more = random.integer(1, 60)
      count += more
      all.push(...(way === 3 ? scan.nextManySync(more) : await scan.nextMany(more)))
    }
    scan.close()
  }
  return all
}

/** Makes a scan of some range in some direction, perhaps seeks while it is under way, and holds it to the model. */
async function holdToModel(
  random: SeededRandom,
  db: Store,
  model: Model,
  now: number,
  snapshot?: object,
): Promise<void> {
  const reverse = random.integer(0, 1) === 1
  const bounds = [randomKey(random), randomKey(random)].sort(Buffer.compare)
  const range = random.integer(0, 2) === 0 ? { gte: bounds[0]!, lt: bounds[1]! } : {}
  const isInRange = ({ key }: Held): boolean =>
    range.gte === undefined || (Buffer.compare(key, range.gte) >= 0 && Buffer.compare(key, range.lt) < 0)
  const live = [...model.values()].filter(({ expiresAt }) => expiresAt === 0 || expiresAt > now)
  const expected = live.filter(isInRange).sort((a, b) => (reverse ? -1 : 1) * Buffer.compare(a.key, b.key))

  const options = { ...range, reverse, ...(snapshot === undefined ? {} : { snapshot: snapshot as never }) }
  const take = async <T>(scan: Scan<Buffer, T>, read: (held: Held) => T): Promise<void> => {
    let rest = expected
    if (random.integer(0, 1) === 1 && expected.length > 0) {
      const first = random.integer(0, expected.length)
      expectSame(scan.nextManySync(first), expected.slice(0, first).map(read))
      const target = random.integer(0, expected.length - 1)
      scan.seek(expected[target]!.key)
      rest = expected.slice(target)
    }
    expectSame(await drain(random, scan as Scan<never, T>), rest.map(read))
  }
  const texts = db.as({ keyEncoding: 'utf8', valueEncoding: 'utf8' })
  const asText = (scan: unknown): Scan<Buffer, never> => scan as Scan<Buffer, never>
  const text = (bytes: Buffer): string => bytes.toString('utf8')
  const textOptions = { ...options, gte: range.gte as never, lt: range.lt as never }
  await take<unknown>(asText(texts.entries(textOptions)), ({ key, value }) => [text(key), text(value)])
  await take<unknown>(asText(texts.keys(textOptions)), ({ key }) => text(key))
  await take<unknown>(asText(texts.values(textOptions)), ({ value }) => text(value))
  await take<unknown>(db.entries(options), ({ key, value }) => [key, value])
  const mixed = db.as({ valueEncoding: 'view' })
  await take<unknown>(mixed.values(options), ({ value }) => new Uint8Array(value))
  expect(db.countSync(options)).toBe(expected.length)
}

test('every kind of key and value comes out of every kind of scan', { timeout: 60_000 }, async () => {
  const random = seededRandom('scans of all kinds')
  for (let round = 0; round < 6; round++) {
    const clock = new ManualClock()
    const usual = random.pick(USUAL_VALUE_BYTES)
    const db = await open('/store', {
      fs: new MemoryFileSystem(),
      clock,
      executor: 'inline',
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      writeBufferBytes: 64 * 1024,
      blockBytes: random.pick([256, 4096, 4096, 20_000]),
      restartInterval: random.pick([1, 3, 16, 16, 1000]),
      cacheBytes: random.pick([0, 20_000, 1 << 20]),
      compression: random.pick(['none', 'lz4']),
    })
    const model = new Map<string, Held>()
    const snapshots: { snapshot: ReturnType<Store['snapshot']>; before: Model }[] = []
    const isCalm = random.integer(0, 2) === 0
    for (let step = 0; step < 1500; step++) {
      const key = randomKey(random)
      const what = isCalm ? 9 : random.integer(0, 9)
      if (what === 0) {
        db.delSync(key)
        model.delete(key.toString('hex'))
      } else {
        const value = randomValue(random, usual)
        const ttl = what === 1 ? random.integer(1, 100) : undefined
        db.putSync(key, value, ttl === undefined ? {} : { ttl })
        model.set(key.toString('hex'), { key, value, expiresAt: ttl === undefined ? 0 : clock.now() + ttl })
      }
      if (step % 400 === 399) {
        snapshots.push({ snapshot: db.snapshot(), before: new Map(model) })
        if (random.integer(0, 1) === 0) await db.flush()
        clock.advance(20)
      }
    }
    for (let check = 0; check < 5; check++) {
      await holdToModel(random, db, model, clock.now())
      const { snapshot, before } = random.pick(snapshots)
      await holdToModel(random, db, before, clock.now(), snapshot)
      if (check === 1) await db.flush()
      if (check === 2) await db.compact()
    }
    for (const { snapshot } of snapshots) snapshot.close()
    await db.close()
  }
})

test('JSON that has neighbours is parsed from its own text', async () => {
  const random = seededRandom('scans of JSON')
  await using db = await open('/store', { fs: new MemoryFileSystem(), executor: 'inline', valueEncoding: 'json' })
  const expected: [string, unknown][] = []
  for (let i = 0; i < 2000; i++) {
    const value = random.pick<unknown>([i, `text ${i}`, { i, name: 'ünï' }, [i, null], '', { deep: { list: [i] } }])
    const key = `key:${String(i).padStart(10, '0')}`
    db.putSync(key, value)
    expected.push([key, value])
  }
  await db.flush()
  expect(db.entries().toArraySync()).toEqual(expected)
  expect(db.entries({ reverse: true }).toArraySync()).toEqual(expected.toReversed())
})
