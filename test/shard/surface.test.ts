import { afterEach, describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { openSharded, type ShardedStore, SLOT_COUNT } from '../../src/shard.js'

const code = (expected: string) => expect.objectContaining({ code: expected })
const KEYS = Array.from({ length: 3000 }, (_, i) => `user:${i}`)

let store: ShardedStore | undefined

afterEach(async () => {
  await store?.close()
  store = undefined
})

async function filled(fs: MemoryFileSystem, options: object = {}): Promise<ShardedStore> {
  store = await openSharded('/data', {
    fs,
    executor: 'inline',
    moveBytesPerSecond: Number.POSITIVE_INFINITY,
    shards: ['a', { name: 'b', path: '/elsewhere' }, 'c'],
    ...options,
  })
  await Promise.all(KEYS.map((key) => store!.put(key, '0')))
  return store
}

describe('what looks after a sharded store', () => {
  it('copies it as of one moment, keys that are moving included', async () => {
    const fs = new MemoryFileSystem()
    const db = await filled(fs)
    await db.queue('jobs').send('job', { group: 'g' })
    let copied: Promise<unknown> | undefined
    await db.addShard('d', {
      onProgress: () => {
        if (copied !== undefined) return
        // Half-way. What is issued before is in the copy, on every shard, and what comes after on none.
        db.batchSync(
          KEYS.slice(0, 300).map((key) => ({ type: 'put' as const, key, value: '1' })),
          { atomic: false },
        )
        copied = db.checkpoint('/copy')
        for (const key of KEYS.slice(0, 300)) db.putSync(key, '2')
      },
    })
    await copied
    await expect(db.checkpoint('/copy')).rejects.toThrow(code('SILT_EXISTS'))
    await db.close()
    store = await openSharded('/copy', { fs, executor: 'inline', moveBytesPerSecond: Number.POSITIVE_INFINITY })
    expect(store.shards).toEqual(['a', 'b', 'c', 'd'])
    await store.idle()
    expect(await store.getMany(KEYS)).toEqual(KEYS.map((_, i) => (i < 300 ? '1' : '0')))
    expect(await store.keys().toArray()).toEqual(KEYS.toSorted())
    expect(await store.queue('jobs').receive()).toHaveLength(1)
  })

  it('verifies every shard, and says where something is wrong', async () => {
    const fs = new MemoryFileSystem()
    const db = await filled(fs)
    await db.flush()
    const sound = await db.verify()
    expect(sound).toMatchObject({ ok: true, findings: [] })
    const table = `/elsewhere/${fs.listSync('/elsewhere').find((name) => name.endsWith('.sst'))}`
    const file = fs.openSync(table, 'update')
    file.writeSync(Buffer.from([1, 2, 3, 4]), 0, 4, 10)
    file.closeSync()
    const { ok, findings } = await db.verify()
    expect(ok).toBe(false)
    expect(findings.some((finding) => finding.file.includes('/elsewhere'))).toBe(true)
  })

  it('says what it cannot do, and why', async () => {
    const nowhere = openSharded('/x', { fs: new MemoryFileSystem(), createIfMissing: false })
    await expect(nowhere).rejects.toThrow(/leave out createIfMissing/)
    const db = await filled(new MemoryFileSystem())
    expect(db.capabilities).toMatchObject({ atomic: 'shard', changes: false, readOnly: false, checkpoint: true })
    expect(() => db.changes()).toThrow(code('SILT_NOT_SUPPORTED'))
    expect(() => db.watch()).toThrow(/topic in the same batch/)
    await expect(openSharded('/x', { shards: ['a'], readOnly: true } as never)).rejects.toThrow(
      code('SILT_NOT_SUPPORTED'),
    )
  })

  it('estimates how many keys there are where they are many', async () => {
    const db = await filled(new MemoryFileSystem(), { shards: ['a'] })
    expect(db.stats().keys).toBe(3000)
    await Promise.all(Array.from({ length: 9000 }, (_, i) => db.put(`more:${i}`, 'x')))
    await db.flush()
    await Promise.all(Array.from({ length: 1000 }, (_, i) => db.del(`more:${i}`)))
    await db.flush()
    expect(db.stats().keys).toBeGreaterThan(10_900)
    expect(db.stats().keys).toBeLessThan(11_100)
  })

  it('moves several slots in one walk', async () => {
    const db = await filled(new MemoryFileSystem(), { shards: ['a', 'b'], placement: 'slots' })
    const slots = Array.from({ length: SLOT_COUNT }, (_, i) => i).filter((slot) => slot % 64 === 0)
    const expected = KEYS.filter((key) => slots.includes(db.slotOf(key)) && db.locate(key) === 'a').length
    let scanned = 0
    const { keysMoved } = await db.moveSlot(slots, 'b', {
      onProgress: ({ keysScanned }) => {
        scanned = keysScanned
      },
    })
    expect(keysMoved).toBe(expected)
    expect(scanned).toBe(KEYS.length)
    expect(KEYS.filter((key) => slots.includes(db.slotOf(key))).every((key) => db.locate(key) === 'b')).toBe(true)
    expect(await db.getMany(KEYS)).toEqual(KEYS.map(() => '0'))
  })

  it('leaves the loop to others while it plans and moves', async () => {
    const db = await filled(new MemoryFileSystem(), { shards: ['a', 'b'] })
    let turns = 0
    let going = true
    const count = (): void => {
      turns++
      if (going) setImmediate(count)
    }
    count()
    await db.addShard('c', { dryRun: true })
    // Two walks over some 3000 keys, in slices of 256.
    expect(turns).toBeGreaterThanOrEqual(20)
    turns = 0
    const { keysMoved } = await db.addShard('c')
    going = false
    expect(keysMoved).toBeGreaterThan(500)
    expect(turns).toBeGreaterThanOrEqual(30)
  })
})
