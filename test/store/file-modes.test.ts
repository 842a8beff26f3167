import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { backup, open, repair, restoreBackup } from '../../src/index.js'
import { openSharded } from '../../src/shard.js'
import { temporaryDirectories } from './temporary.js'

const newPath = temporaryDirectories()
const umask = process.umask()

afterEach(() => {
  process.umask(umask)
})

/** The permissions of everything at and below a directory, each kind once. */
function modesBelow(directory: string): { files: string[]; directories: string[]; kinds: Set<string> } {
  const files = new Set<string>()
  const kinds = new Set<string>()
  const directories = new Set([modeOf(directory)])
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const mode = modeOf(join(entry.parentPath, entry.name))
    if (entry.isDirectory()) directories.add(mode)
    else {
      files.add(mode)
      kinds.add(entry.name.replace(/^\d+\./, '').replace(/-\d+$/, ''))
    }
  }
  return { files: [...files], directories: [...directories], kinds }
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}

/** A store with files of every kind, made by this thread and by its worker. */
async function fill(path: string, options: { mode?: number } = {}): Promise<void> {
  await using db = await open(path, { ...options, writeBufferBytes: 64 * 1024, logRetention: { bytes: 1e9 } })
  for (let i = 0; i < 300; i++) db.putSync(`key ${i}`, 'x'.repeat(500))
  await db.flush()
  await db.compact()
  await db.queue('q').send('a')
}

if (process.platform !== 'win32') {
  describe('the permissions of what a store makes', () => {
    it.each([
      [undefined, 0o022, '600', '700'],
      [0o640, 0o022, '640', '750'],
      [0o666, 0o022, '644', '755'],
      [0o666, 0o077, '600', '700'],
      [0o600, 0o777, '0', '0'],
    ] as const)('with mode %o and umask %o are those, in every file', async (mode, mask, file, directory) => {
      if (mask === 0o777 && process.getuid?.() !== 0) return
      process.umask(mask)
      const options = mode === undefined ? {} : { mode }
      const path = join(newPath(), 'below')
      await fill(path, options)
      const { files, directories, kinds } = modesBelow(path)
      expect(files).toEqual([file])
      expect(directories).toEqual([directory])
      expect([...kinds].sort()).toEqual(expect.arrayContaining(['CURRENT', 'LOCK', 'MANIFEST', 'log', 'sst']))
      expect(modeOf(join(path, '..'))).toBe(directory)
    })

    it('are the store’s own in checkpoints and backups, and those that are asked for elsewhere', async () => {
      process.umask(0o022)
      const path = newPath()
      await fill(path, { mode: 0o640 })
      const [copy, backups, back, sharded] = [newPath(), newPath(), newPath(), newPath()]
      {
        await using db = await open(path, { mode: 0o640 })
        await db.put('not in a table', '1')
        await db.checkpoint(copy)
        await backup(db, backups)
      }
      await restoreBackup(backups, 1, back, { mode: 0o640 })
      await (await openSharded(sharded, { shards: ['a', 'b'], mode: 0o640 })).close()
      await (await openSharded(`${sharded}-threads`, { shards: ['a'], mode: 0o640, threads: true })).close()
      for (const each of [path, copy, backups, back, sharded, `${sharded}-threads`]) {
        expect(modesBelow(each), each).toMatchObject({ files: ['640'], directories: ['750'] })
      }
    })

    it('are the owner’s alone after a repair and in what that keeps, unless others are asked for', async () => {
      process.umask(0o022)
      for (const [options, file, directory] of [
        [{}, '600', '700'],
        [{ mode: 0o640 }, '640', '750'],
      ] as const) {
        const path = newPath()
        await fill(path, options)
        const table = readdirSync(path).find((name) => name.endsWith('.sst'))!
        const bytes = Buffer.alloc(statSync(join(path, table)).size, 7)
        writeFileSync(join(path, table), bytes)
        expect((await repair(path, options)).lost).not.toEqual([])
        const { files, directories } = modesBelow(path)
        expect({ files, directories }).toEqual({ files: [file], directories: [directory] })
      }
    })

    it('of a directory that is there already stay as they are', async () => {
      const path = newPath()
      mkdirSync(path, { mode: 0o755 })
      await fill(path)
      expect(modeOf(path)).toBe('755')
    })
  })
}

it.each([0o100, 0o755, 0o400, 0o1600, -1, 1.5, '600', null])('mode %o is refused', async (mode) => {
  await expect(open(newPath(), { mode: mode as number })).rejects.toMatchObject({
    code: 'SILT_INVALID_ARGUMENT',
    message: expect.stringContaining('mode'),
  })
})
