import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'

/*
 * A scan that is over gives the memory of its last block to the next one. Whatever was made of that block is a copy, and what is read from it
 * while the scan is closed by the program's own encoding is still there.
 */

const COUNT = 6000
const keyOf = (i: number): string => `key ${String(i).padStart(6, '0')}`
const textOf = (i: number): string => `value ${i} `.repeat(8)

async function filled(cacheBytes: number): Promise<Database> {
  const db = await open(':memory:', { cacheBytes })
  const batch = db.keyspace('rows').batch()
  for (let i = 0; i < COUNT; i++) batch.put(keyOf(i), textOf(i))
  await batch.write()
  await db.compact()
  return db
}

describe.each([0, 4 * 1024 * 1024])('with a cache of %i bytes', (cacheBytes) => {
  it.each(['utf8', 'buffer', 'view'] as const)(
    'what a closed scan returned as %s stays what it is',
    async (encoding) => {
      const db = await filled(cacheBytes)
      const options = { keyEncoding: encoding, valueEncoding: encoding }
      const returned: [unknown, unknown][] = []
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i + 200 < COUNT; i += 487) {
          const scan = db.keyspace('rows', options).entries({ gte: Buffer.from(keyOf(i)) as never })
          const taken = scan.nextManySync(150)
          scan.close()
          returned.push(...(taken.slice(-2) as [unknown, unknown][]))
          scan.close()
        }
      }
      let at = 0
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i + 200 < COUNT; i += 487) {
          for (const n of [i + 148, i + 149]) {
            const [key, value] = returned[at++]!
            expect(Buffer.from(key as string).toString()).toBe(keyOf(n))
            expect(Buffer.from(value as string).toString()).toBe(textOf(n))
          }
        }
      }
      await db.close()
    },
  )

  it('a scan may be closed by the encoding that reads its entry, and others begun', async () => {
    const db = await filled(cacheBytes)
    let left = 0
    const meddling = {
      encode: (key: string) => key,
      decode: (bytes: Uint8Array) => {
        if (left-- === 0) {
          scan.close()
          for (const from of [100, 3000])
            expect(
              db
                .keyspace('rows')
                .entries({ gte: keyOf(from) })
                .nextManySync(400),
            ).toHaveLength(400)
        }
        return Buffer.from(bytes).toString()
      },
    }
    let scan = db.keyspace('rows', { keyEncoding: meddling, valueEncoding: 'buffer' }).entries()
    for (const count of [1, 200, 1500]) {
      left = count
      scan = db.keyspace('rows', { keyEncoding: meddling, valueEncoding: 'buffer' }).entries()
      const entries = scan.nextManySync(5000)
      expect(entries.length).toBeGreaterThan(count)
      expect(entries[count]![0]).toBe(keyOf(count))
      expect(entries[count]![1].toString()).toBe(textOf(count))
      expect(() => scan.nextManySync(1)).toThrow(expect.objectContaining({ code: 'SILT_NOT_OPEN' }))
    }
    await db.close()
  })

  it('a scan that is closed between two entries of a loop ends it', async () => {
    const db = await filled(cacheBytes)
    const scan = db.keyspace('rows').entries()
    let count = 0
    expect(() => {
      for (const [key, value] of scan) {
        expect([key, value]).toEqual([keyOf(count), textOf(count)])
        if (++count === 700) scan.close()
      }
    }).toThrow(expect.objectContaining({ code: 'SILT_NOT_OPEN' }))
    expect(count).toBe(700)
    await db.close()
  })
})
