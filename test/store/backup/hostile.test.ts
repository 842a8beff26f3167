import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  backup,
  listBackups,
  MemoryFileSystem,
  open,
  pruneBackups,
  restoreBackup,
  SiltstoneError,
  verifyBackup,
} from '../../../src/index.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { temporaryDirectories } from '../temporary.js'

const directory = temporaryDirectories()
const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)
const ROUNDS = Number(process.env['SILTSTONE_FUZZ_ROUNDS'] ?? 150)
const RECORD = 'backup-000001.json'

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

async function backedUp(fs?: MemoryFileSystem): Promise<{ backups: string; record: { [name: string]: Json } }> {
  const options = fs === undefined ? {} : { fs }
  const backups = fs === undefined ? directory() : '/backups'
  await using db = await open(fs === undefined ? directory() : '/store', options)
  await db.put('a', 'in a table')
  await db.flush()
  await db.put('b', 'in the log')
  await backup(db, backups)
  return { backups, record: JSON.parse(fs === undefined ? readFileSync(join(backups, RECORD), 'utf8') : textOf(fs)) }
}

function textOf(fs: MemoryFileSystem): string {
  const file = fs.openSync(`/backups/${RECORD}`, 'read')
  const bytes = new Uint8Array(file.sizeSync())
  file.readSync(bytes, 0, bytes.length, 0)
  return Buffer.from(bytes).toString()
}

/** A record as somebody would write it who means harm: its checksum is right. */
function sealed(record: Json): string {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return JSON.stringify(record)
  const { checksum: _, ...body } = record
  return JSON.stringify({ ...body, checksum: createHash('sha256').update(JSON.stringify(body)).digest('hex') })
}

const VALUES: readonly Json[] = [
  null,
  true,
  -1,
  0,
  1.5,
  7,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e300,
  '',
  'x',
  '../../../etc/passwd',
  '/dev/zero',
  '000001.sst',
  'CURRENT',
  'f'.repeat(64),
  '__proto__',
  [],
  [null],
  {},
  { length: -1 },
]

/** Puts something else in a place of a JSON value, or takes away what is there. */
function mutate(value: Json, random: SeededRandom): Json {
  if (typeof value !== 'object' || value === null || random.below(6) === 0) return random.pick(VALUES)
  const names = Object.keys(value)
  if (names.length === 0) return random.pick(VALUES)
  const name = random.pick(names)
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as { [name: string]: Json }
  if (random.below(8) === 0) delete copy[name]
  else if (Array.isArray(value) && random.below(6) === 0) (copy as unknown as Json[]).push(value[Number(name)]!)
  else copy[name] = mutate(copy[name]!, random)
  return copy
}

/** What a call says of a directory of backups; anything but a code of ours fails the test. */
async function answer(context: string, call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
    return 'ok'
  } catch (error) {
    expect(error, context).toBeInstanceOf(SiltstoneError)
    const { code, file } = error as SiltstoneError
    if (code === 'SILT_CORRUPTION' || code === 'SILT_FORMAT') expect(file, context).toEqual(expect.any(String))
    expect(['SILT_CORRUPTION', 'SILT_FORMAT', 'SILT_NOT_FOUND'], context).toContain(code)
    return code
  }
}

describe('a record of a backup that somebody has changed', () => {
  it('is refused with the name of the file, or makes a store, whatever stands in it', async () => {
    const fs = new MemoryFileSystem()
    const { record } = await backedUp(fs)
    const answers = new Map<string, number>()
    for (let round = 0; round < ROUNDS; round++) {
      const random = new SeededRandom(seed * 10_000 + round)
      const text = sealed(mutate(record, random))
      const context = `seed ${seed}, round ${round}: ${text.slice(0, 2000)}`
      fs.removeSync(`/backups/${RECORD}`)
      const file = fs.openSync(`/backups/${RECORD}`, 'create')
      const bytes = Buffer.from(text)
      file.writeSync(bytes, 0, bytes.length, 0)
      file.closeSync()
      await answer(context, () => listBackups('/backups', { fs }))
      await answer(context, () => verifyBackup('/backups', 1, { fs }))
      const target = `/restored-${round}`
      const restored = await answer(context, () => restoreBackup('/backups', 1, target, { fs }))
      answers.set(restored, (answers.get(restored) ?? 0) + 1)
      expect(fs.listSync('/').sort(), context).toEqual(
        ['backups', 'store', ...(restored === 'ok' ? [target.slice(1)] : [])].sort(),
      )
      if (restored !== 'ok') continue
      await answer(context, async () => {
        await using db = await open(target, { fs, createIfMissing: false })
        await db.entries().toArray()
      })
      for (const name of fs.listSync(target)) fs.removeSync(`${target}/${name}`)
      fs.removeDirectorySync(target)
    }
    expect(answers.get('SILT_CORRUPTION')).toBeGreaterThan(ROUNDS / 4)
  })

  it.each([
    ['a hash that leads out of the pool', '../../../../../etc/passwd'],
    ['a device', '../../../../../dev/zero'],
    ['a hash in capitals', 'A'.repeat(64)],
  ])('is refused with %s', async (_, sha256) => {
    const { backups, record } = await backedUp()
    const files = record['files'] as { sha256: string; bytes: number }[]
    files[0]!.sha256 = sha256
    writeFileSync(join(backups, RECORD), sealed(record))
    const refusal = { code: 'SILT_CORRUPTION', file: join(backups, RECORD) }
    await expect(verifyBackup(backups, 1)).rejects.toMatchObject(refusal)
    await expect(listBackups(backups)).rejects.toMatchObject(refusal)
    await expect(restoreBackup(backups, 1, directory())).rejects.toMatchObject(refusal)
  })
})

describe.runIf(process.platform !== 'win32')('a directory of backups with what is no file', () => {
  const make: Record<string, (path: string) => void> = {
    'a device': (path) => symlinkSync('/dev/zero', path),
    'a pipe': (path) => void execFileSync('mkfifo', [path]),
    'a folder': (path) => void mkdirSync(path),
    'a link to itself': (path) => symlinkSync(path, path),
  }

  it.each(Object.keys(make))('in place of a file: %s', async (what) => {
    const { backups } = await backedUp()
    const path = join(backups, 'files', readdirSync(join(backups, 'files'))[0]!)
    rmSync(path)
    make[what]!(path)
    expect((await verifyBackup(backups, 1)).findings).toMatchObject([{ file: path }])
    const target = directory()
    await expect(restoreBackup(backups, 1, target)).rejects.toMatchObject({ code: 'SILT_CORRUPTION', file: path })
    expect(existsSync(target)).toBe(false)
  })

  it.each(Object.keys(make))('in place of a record: %s', async (what) => {
    const { backups } = await backedUp()
    const path = join(backups, RECORD)
    rmSync(path)
    make[what]!(path)
    await expect(listBackups(backups)).rejects.toMatchObject({ code: 'SILT_CORRUPTION', file: path })
    await expect(restoreBackup(backups, 1, directory())).rejects.toMatchObject({ code: 'SILT_CORRUPTION', file: path })
  })

  it('does not sweep what a link in place of its pool leads to', async () => {
    const { backups } = await backedUp()
    const elsewhere = directory()
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, 'f'.repeat(64)), 'mine')
    writeFileSync(join(elsewhere, 'incoming'), 'mine')
    rmSync(join(backups, 'files'), { recursive: true })
    symlinkSync(elsewhere, join(backups, 'files'))
    await expect(pruneBackups(backups, { keep: 1 })).rejects.toMatchObject({ code: 'SILT_IO' })
    expect(readdirSync(elsewhere).sort()).toEqual(['f'.repeat(64), 'incoming'])
  })
})
