import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import Keyv5 from 'keyv'
import Keyv6 from 'keyv-6'
import * as vitest from 'vitest'
import { type Database, open } from '../../../src/index.js'
import { KeyvSiltstone } from '../../../src/keyv.js'

/*
 * Keyv's own suite against the latest Keyv of both lines. It names one of them in its types; the other has the same face.
 */

const { afterAll, describe, expect, it } = vitest
const folder = mkdtempSync(join(tmpdir(), 'siltstone-keyv-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const Keyv6As5 = Keyv6 as unknown as typeof Keyv5

/** The suite speaks for Keyv 5 here: Keyv 6 answers `delete` of many with one answer for each, whatever it stands on. */
const RETRACTED = '.deleteMany([keys]) with nonexistent keys resolves to false'
const withoutRetracted = {
  ...vitest,
  it: (name: string, run: () => void) => (name === RETRACTED ? undefined : it(name, run)),
} as unknown as typeof vitest

describe.each([
  ['5', Keyv5],
  ['6', Keyv6As5],
] as const)('Keyv %s', (line, Keyv) => {
  const stores = [
    ['on disk', join(folder, `suite-${line}`)],
    ['in memory', ':memory:'],
  ] as const
  describe.each(stores)('%s', (_, place) => {
    // One store, and as every adapter of Keyv 5 wants it, an adapter of its own for each Keyv.
    let db: Database
    vitest.beforeAll(async () => {
      db = await open(place)
    })
    afterAll(() => db.close())
    const suite = line === '6' ? withoutRetracted : vitest
    keyvTestSuite(suite, Keyv, () => new KeyvSiltstone(db))
    keyvIteratorTests(suite, Keyv, () => new KeyvSiltstone(db))
  })

  it('finds its values again after the process let go of them', async () => {
    const path = join(folder, `again-${line}`)
    const first = new Keyv({ store: new KeyvSiltstone(path) })
    await first.set('a', { b: 1 })
    await first.disconnect()
    const second = new Keyv({ store: new KeyvSiltstone(path) })
    expect(await second.get('a')).toEqual({ b: 1 })
    await second.disconnect()
  })

  it('stands beside others in one open store', async () => {
    const db = await open(':memory:')
    const sessions = new Keyv({ store: new KeyvSiltstone(db.keyspace('sessions')), namespace: 's' })
    const pages = new Keyv({ store: new KeyvSiltstone(db.keyspace('pages')) })
    await db.put('mine', '1')
    await sessions.set('a', 1)
    await pages.set('a', 2)
    await sessions.clear()
    expect([await sessions.get('a'), await pages.get('a'), await db.get('mine')]).toEqual([undefined, 2, '1'])
    await pages.disconnect()
    expect(await db.get('mine')).toBe('1')
    await db.close()
  })

  it('sets, reads, iterates and deletes many', async () => {
    const keyv = new Keyv({ store: new KeyvSiltstone(':memory:'), namespace: 'n' })
    await keyv.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ])
    expect(await keyv.getMany(['b', 'c', 'a'])).toEqual([2, undefined, 1])
    const seen: unknown[] = []
    for await (const entry of keyv.iterator!(undefined)) seen.push(entry)
    expect(seen).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    await keyv.deleteMany(['a', 'b'])
    expect([await keyv.has('a'), await keyv.has('b')]).toEqual([false, false])
    await keyv.disconnect()
  })
})

describe('the one sentence of the suite that Keyv 6 has taken back', () => {
  it('is answered by Keyv 6 on a map as on Siltstone', async () => {
    const onSiltstone = new Keyv6({ store: new KeyvSiltstone(':memory:') })
    expect(await onSiltstone.delete(['a', 'b'])).toEqual(await new Keyv6().delete(['a', 'b']))
    expect(await onSiltstone.delete(['a', 'b'])).toEqual([false, false])
    await onSiltstone.disconnect()
  })
})

describe('time to live', () => {
  it('is kept by the store itself, so that what expired leaves the disk', async () => {
    let now = 1_000_000
    const clock = { now: () => now, after: () => () => {} }
    const store = new KeyvSiltstone(':memory:', { clock })
    await store.set('a', 'x', 100)
    await store.setMany([
      { key: 'b', value: 'y', ttl: 0.5 },
      { key: 'c', value: 'z' },
    ])
    expect(await store.hasMany(['a', 'b', 'c'])).toEqual([true, true, true])
    now += 100
    expect(await store.getMany(['a', 'b', 'c'])).toEqual([undefined, undefined, 'z'])
    expect(await store.delete('a')).toBe(false)
    await store.disconnect()
  })
})

describe('a store that does not open', () => {
  it('says so to whoever asked, and is tried again', async () => {
    const path = join(folder, 'held')
    const holder = await open(path)
    const keyv = new Keyv5({ store: new KeyvSiltstone(path), throwOnErrors: true, emitErrors: false })
    await expect(keyv.set('a', 1)).rejects.toMatchObject({ code: 'SILT_LOCKED' })
    await holder.close()
    await keyv.set('a', 1)
    expect(await keyv.get('a')).toBe(1)
    await keyv.disconnect()
  })
})
