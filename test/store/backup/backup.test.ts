import { appendFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  backup,
  type Database,
  listBackups,
  MemoryFileSystem,
  open,
  pruneBackups,
  replicate,
  restoreBackup,
  verifyBackup,
} from '../../../src/index.js'
import { temporaryDirectories } from '../temporary.js'

const directory = temporaryDirectories()

async function contentOf(db: Database): Promise<[string, string][]> {
  return db.entries().toArray()
}

async function restored(backups: string, id: number): Promise<[string, string][]> {
  const target = directory()
  await restoreBackup(backups, id, target)
  const db = await open(target, { createIfMissing: false })
  expect(db.recovery.losses).toEqual([])
  expect((await db.verify()).findings).toEqual([])
  const content = await contentOf(db)
  await db.put('restored', 'and written to')
  await db.close()
  return content
}

async function write(db: Database, round: number): Promise<void> {
  for (let i = 0; i < 100; i++) await db.put(`round ${round} key ${i}`, `value ${i} ${'x'.repeat(200)}`)
  await db.flush()
  await db.put('round', String(round))
}

describe('backups of a store', () => {
  it('each bring back what the store was when they were made', async () => {
    const db = await open(directory())
    const backups = directory()
    const states: [string, string][][] = []
    for (let round = 1; round <= 3; round++) {
      await write(db, round)
      if (round === 2) await db.clear({ prefix: 'round 1 key 1' })
      states.push(await contentOf(db))
      const { id, position } = await backup(db, backups)
      expect(id).toBe(round)
      expect(position).toBe(db.stats().log.position)
    }
    await db.compact()
    await db.close()
    expect((await listBackups(backups)).map(({ id }) => id)).toEqual([1, 2, 3])
    for (let id = 1; id <= 3; id++) expect(await restored(backups, id)).toEqual(states[id - 1])
  })

  it('share the tables that did not change', async () => {
    const db = await open(directory())
    const backups = directory()
    await write(db, 1)
    const first = await backup(db, backups)
    await write(db, 2)
    const second = await backup(db, backups)
    expect(second.bytes).toBeGreaterThan(first.bytes)
    expect(second.addedBytes).toBeLessThan(first.bytes)
    const third = await backup(db, backups)
    expect(third.addedBytes).toBe(0)
    const stored = readdirSync(join(backups, 'files'), { withFileTypes: true })
    const total = stored.reduce((sum, { name }) => sum + statSync(join(backups, 'files', name)).size, 0)
    expect(total).toBe(first.addedBytes + second.addedBytes)
    await db.close()
  })

  it('share tables with the store itself where links are asked for', async () => {
    const path = directory()
    const db = await open(path)
    await write(db, 1)
    const backups = directory()
    const { id } = await backup(db, backups, { link: true })
    const inodes = new Set(readdirSync(path).map((name) => statSync(join(path, name)).ino))
    const shared = readdirSync(join(backups, 'files')).filter((name) =>
      inodes.has(statSync(join(backups, 'files', name)).ino),
    )
    expect(shared).toHaveLength(1)
    const state = await contentOf(db)
    await db.clear()
    await db.compact()
    await db.close()
    expect(await verifyBackup(backups, id)).toMatchObject({ ok: true, findings: [] })
    expect(await restored(backups, id)).toEqual(state)
  })

  it('of a restored store know the tables that it brought along', async () => {
    const db = await open(directory())
    const backups = directory()
    await write(db, 1)
    const first = await backup(db, backups)
    await db.close()
    const target = directory()
    await restoreBackup(backups, first.id, target)
    const again = await open(target)
    const second = await backup(again, backups)
    expect(second.addedBytes).toBeLessThan(first.bytes / 2)
    await again.close()
  })

  it('are pruned from the oldest, and what only those needed goes with them', async () => {
    const db = await open(directory())
    const backups = directory()
    for (let round = 1; round <= 4; round++) {
      await write(db, round)
      await backup(db, backups)
    }
    await db.compact()
    await backup(db, backups)
    const state = await contentOf(db)
    await db.close()
    const before = readdirSync(join(backups, 'files')).length
    expect(await pruneBackups(backups, { keep: 1 })).toEqual([1, 2, 3, 4])
    expect(await pruneBackups(backups, { keep: 1 })).toEqual([])
    expect(readdirSync(join(backups, 'files')).length).toBeLessThan(before)
    expect((await listBackups(backups)).map(({ id }) => id)).toEqual([5])
    expect(await restored(backups, 5)).toEqual(state)
    await expect(restoreBackup(backups, 4, directory())).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
  })

  it('are for its writer to make: a reader refuses, and leaves nothing behind', async () => {
    const path = directory()
    const backups = directory()
    await using db = await open(path)
    await db.put('a', '1')
    await using reader = await open(path, { readOnly: true })
    await expect(backup(reader, backups)).rejects.toMatchObject({ code: 'SILT_READ_ONLY' })
    await backup(db, backups)
    expect(await listBackups(backups)).toHaveLength(1)
  })

  it('bring back a store that can go on as a replica of the first', async () => {
    const backups = directory()
    const target = directory()
    await using db = await open(directory(), { logRetention: { bytes: Number.POSITIVE_INFINITY } })
    await db.put('a', '1')
    await backup(db, backups)
    await db.put('b', '2')
    await restoreBackup(backups, 1, target)
    await using replica = await open(target)
    await replicate(db, replica, { follow: false })
    expect(await replica.keys().toArray()).toEqual(['a', 'b'])
  })

  it('may be on another file system than the store', async () => {
    const fs = new MemoryFileSystem()
    const db = await open(directory())
    await write(db, 1)
    await backup(db, '/backups', { fs })
    const state = await contentOf(db)
    await db.close()
    await restoreBackup('/backups', 1, '/restored', { fs })
    const copy = await open('/restored', { fs, createIfMissing: false })
    expect(await contentOf(copy)).toEqual(state)
    await copy.close()
  })
})

describe('a backup that is damaged', () => {
  async function damagedBackup(damage: (file: string) => void): Promise<string> {
    const db = await open(directory())
    const backups = directory()
    await write(db, 1)
    await backup(db, backups)
    await db.close()
    const files = readdirSync(join(backups, 'files')).map((name) => join(backups, 'files', name))
    damage(files.sort((a, b) => statSync(b).size - statSync(a).size)[0]!)
    return backups
  }

  it.each<[string, (file: string) => void]>([
    ['a byte too many', (file) => appendFileSync(file, 'x')],
    ['other bytes', (file) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
    ['a missing file', (file) => rmSync(file)],
  ])('is found by verifying and refused by restoring: %s', async (_, damage) => {
    const backups = await damagedBackup(damage)
    const { ok, findings } = await verifyBackup(backups, 1)
    expect(ok).toBe(false)
    expect(findings).toHaveLength(1)
    const target = directory()
    await expect(restoreBackup(backups, 1, target)).rejects.toMatchObject({ code: 'SILT_CORRUPTION' })
    await expect(open(target, { createIfMissing: false })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
  })

  it('in its list is named, keeps its number, and its files are not swept away', async () => {
    const db = await open(directory())
    const backups = directory()
    await write(db, 1)
    await backup(db, backups)
    const list = join(backups, 'backup-000001.json')
    const files = readdirSync(join(backups, 'files'))
    appendFileSync(list, ' ')
    expect(await listBackups(backups)).toHaveLength(1)
    writeFileSync(list, '{"format":1}')
    await expect(listBackups(backups)).rejects.toMatchObject({ code: 'SILT_CORRUPTION', file: list })
    await expect(pruneBackups(backups, { keep: 1 })).rejects.toMatchObject({ code: 'SILT_CORRUPTION' })
    await db.compact()
    expect((await backup(db, backups)).id).toBe(2)
    expect(readdirSync(join(backups, 'files'))).toEqual(expect.arrayContaining(files))
    await db.close()
  })
})

describe('restoring', () => {
  it('never writes over anything', async () => {
    const path = directory()
    const db = await open(path)
    const backups = directory()
    await backup(db, backups)
    await db.close()
    await expect(restoreBackup(backups, 1, path)).rejects.toMatchObject({ code: 'SILT_EXISTS' })
    await expect(restoreBackup(backups, 1, backups)).rejects.toMatchObject({ code: 'SILT_EXISTS' })
    for (const id of [0, 1.5, '1' as unknown as number]) {
      await expect(async () => restoreBackup(backups, id, directory())).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
      })
    }
  })

  it('twice makes two stores', async () => {
    const db = await open(directory())
    await db.put('a', '1')
    const backups = directory()
    await backup(db, backups)
    const ids = [db.engine.forest.storeId]
    for (let i = 0; i < 2; i++) {
      const target = directory()
      await restoreBackup(backups, 1, target)
      const copy = await open(target)
      ids.push(copy.engine.forest.storeId)
      await copy.close()
    }
    await db.close()
    expect(new Set(ids).size).toBe(3)
  })
})
