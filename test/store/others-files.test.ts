import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { destroy, open, repair, SiltstoneError } from '../../src/index.js'
import { SeededRandom } from '../simulation/seeded-random.js'
import { temporaryDirectories } from './temporary.js'

const newPath = temporaryDirectories()
const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)
const ROUNDS = Number(process.env['SILTSTONE_FUZZ_ROUNDS'] ?? 5)

async function makeStore(path: string): Promise<void> {
  await using db = await open(path, { writeBufferBytes: 64 * 1024 })
  for (let i = 0; i < 300; i++) db.putSync(`key ${i}`, 'x'.repeat(100))
  await db.flush()
  await db.put('in the log', '')
}

/** All that stands below a directory: names, what they are, and what is in them. */
function pictureOf(path: string, prefix = ''): Map<string, string> {
  const picture = new Map<string, string>()
  for (const name of readdirSync(path)) {
    const status = lstatSync(join(path, name))
    if (status.isSymbolicLink()) picture.set(prefix + name, `link to ${readlinkSync(join(path, name))}`)
    else if (status.isDirectory()) {
      picture.set(prefix + name, 'folder')
      for (const [inner, what] of pictureOf(join(path, name), `${prefix}${name}/`)) picture.set(inner, what)
    } else picture.set(prefix + name, status.isFile() ? readFileSync(join(path, name)).toString('latin1') : 'special')
  }
  return picture
}

const NAMES = [
  '20240131.log',
  '000001.sst',
  '000900.sst',
  '000900.log',
  'MANIFEST-000900',
  'CURRENT.new',
  'CURRENT.unfinished',
  'lost/000900.log',
  'lost/000900.sst.1',
  'lost/MANIFEST-000900',
  'lost/notes.txt',
]

/** Puts something there that the store has not written, where nothing stands; returns what it put, by name. */
function clutter(path: string, victim: string, foreign: string, random: SeededRandom, links: boolean): string[] {
  const added: string[] = []
  for (const name of NAMES) {
    const target = join(path, name)
    if (random.below(2) === 0 || lstatSync(target, { throwIfNoEntry: false }) !== undefined) continue
    mkdirSync(join(target, '..'), { recursive: true })
    const own = readdirSync(victim).filter((each) => each.endsWith(name.slice(-4)))
    const kind = random.below(links && process.platform !== 'win32' ? 5 : 2)
    if (kind === 0)
      writeFileSync(target, `somebody's ${name}, which is no file of a store ${'.'.repeat(random.below(200))}`)
    else if (kind === 1) {
      // A log of another store, under a name that is in nobody's way; text where there is no such thing.
      if (name.endsWith('.log'))
        copyFileSync(join(foreign, readdirSync(foreign).find((each) => each.endsWith('.log'))!), target)
      else writeFileSync(target, 'text that is long enough to be no name of a manifest')
      if (name.endsWith('.log') && name.startsWith('lost/')) writeFileSync(target, 'text')
    } else if (kind === 2) symlinkSync(join(victim, own[0] ?? 'CURRENT'), target)
    else if (kind === 3) mkdirSync(target)
    else execFileSync('mkfifo', [target])
    added.push(name)
  }
  return added
}

describe('files that a store has not written', () => {
  it('outlive destroy, repair and opening, whatever they are called and whatever they are', async () => {
    const victim = newPath()
    await makeStore(victim)
    const foreign = newPath()
    await makeStore(foreign)
    const others = [victim, foreign].map((each) => [each, pictureOf(each)] as const)
    const acts = {
      destroy: (path: string) => destroy(path),
      repair: (path: string) => repair(path),
      open: async (path: string) => (await open(path)).close(),
    }
    for (let round = 0; round < ROUNDS; round++) {
      const random = new SeededRandom(seed * 1000 + round)
      for (const [name, act] of Object.entries(acts)) {
        const context = `seed ${seed}, round ${round}, ${name}`
        const path = newPath()
        await makeStore(path)
        const before = pictureOf(path)
        const added = clutter(path, victim, foreign, random, random.below(2) === 0)
        const all = pictureOf(path)
        let refusal: unknown
        await act(path).catch((error: unknown) => {
          refusal = error
        })
        const after = pictureOf(path)
        if (refusal !== undefined) expect(refusal, context).toBeInstanceOf(SiltstoneError)
        if (name === 'repair' && refusal !== undefined) expect(after, context).toEqual(all)
        if (name === 'destroy') {
          expect(refusal, context).toBeUndefined()
          for (const each of before.keys()) expect([...after.keys()], context).not.toContain(each)
        }
        for (const each of added) {
          // Under a number that the store has given out it expects whatever a loss of power has left of its own file.
          if (name === 'open' && each === '000001.sst') continue
          // An opening refuses a log of another store beside its own, so a repair puts it aside.
          const asides =
            name === 'repair' && each.endsWith('.log') ? [after.get(`lost/${each}`), after.get(`lost/${each}.1`)] : []
          expect([after.get(each), ...asides], `${context}: ${each}`).toContain(all.get(each))
        }
        for (const [other, picture] of others) expect(pictureOf(other), context).toEqual(picture)
      }
    }
  })

  it.each(['destroy', 'repair', 'open'])('of a LevelDB directory are not even locked by %s', async (act) => {
    const path = newPath()
    mkdirSync(path)
    writeFileSync(join(path, 'CURRENT'), 'MANIFEST-000004\n')
    for (const name of ['MANIFEST-000004', '000005.log', '000006.sst', '000007.ldb', 'LOG']) {
      writeFileSync(join(path, name), `${name} of LevelDB`)
    }
    writeFileSync(join(path, 'LOCK'), '')
    const before = pictureOf(path)
    const call = { destroy, repair, open: async (at: string) => (await open(at)).close() }[act]!
    await expect(call(path)).rejects.toMatchObject({
      code: 'SILT_CORRUPTION',
      message: expect.stringContaining('another'),
    })
    expect(pictureOf(path)).toEqual(before)
  })

  it('are no store: one is made beside them', async () => {
    const path = newPath()
    mkdirSync(path)
    writeFileSync(join(path, '20240131.log'), 'my access log')
    await destroy(path)
    await makeStore(path)
    await makeStore(path)
    await destroy(path)
    expect(pictureOf(path)).toEqual(new Map([['20240131.log', 'my access log']]))
  })
})

describe.runIf(process.platform !== 'win32')('links in the directory of a store', () => {
  it('called lost lead nowhere', async () => {
    const victim = newPath()
    await makeStore(victim)
    const picture = pictureOf(victim)
    const path = newPath()
    await makeStore(path)
    symlinkSync(victim, join(path, 'lost'))
    writeFileSync(join(path, 'CURRENT'), 'damaged')
    await expect(repair(path)).rejects.toMatchObject({ code: 'SILT_IO', file: join(path, 'lost') })
    await destroy(path)
    expect(readdirSync(path)).toEqual(['CURRENT', 'lost'])
    expect(pictureOf(victim)).toEqual(picture)
  })

  it.each(['.sst', '.log'])('to a file of it stop a repair before anything is changed (%s)', async (ending) => {
    const path = newPath()
    await makeStore(path)
    const elsewhere = newPath()
    mkdirSync(elsewhere)
    const name = readdirSync(path).find((each) => each.endsWith(ending))!
    renameSync(join(path, name), join(elsewhere, name))
    symlinkSync(join(elsewhere, name), join(path, name))
    const before = pictureOf(path)
    await expect(repair(path)).rejects.toMatchObject({ code: 'SILT_IO', file: join(path, name) })
    expect(pictureOf(path)).toEqual(before)
    await destroy(path)
    expect(readdirSync(path)).toEqual([name])
    expect(readdirSync(elsewhere)).toEqual([name])
  })
})
