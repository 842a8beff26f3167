import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { destroy, MemoryFileSystem, open } from '../../src/index.js'
import { temporaryDirectories } from './temporary.js'

const newPath = temporaryDirectories()

async function makeStore(path: string): Promise<void> {
  await using db = await open(path, { writeBufferBytes: 64 * 1024 })
  for (let i = 0; i < 2000; i++) db.putSync(`key ${i}`, 'x'.repeat(100))
  await db.flush()
  await db.put('in the log', '')
}

describe('destroy', () => {
  it('removes a store and the directory that held nothing else', async () => {
    const path = newPath()
    await makeStore(path)
    await destroy(path)
    expect(existsSync(path)).toBe(false)
    await expect(open(path, { createIfMissing: false })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
  })

  it('removes nothing else, however much it looks like it', async () => {
    const path = newPath()
    await makeStore(path)
    const others = [
      'notes.txt',
      '12.sst',
      '000012.sst.bak',
      'MANIFEST',
      '.hidden',
      '000001.LOG',
      'CURRENT.old',
      '0000012.log',
    ]
    for (const name of others) writeFileSync(join(path, name), name)
    mkdirSync(join(path, 'folder'))
    writeFileSync(join(path, 'folder', '000001.sst'), 'not ours')
    await destroy(path)
    expect(readdirSync(path).sort()).toEqual([...others, 'folder'].sort())
    for (const name of others) expect(readFileSync(join(path, name), 'utf8')).toBe(name)
    expect(readdirSync(join(path, 'folder'))).toEqual(['000001.sst'])
  })

  it('removes a damaged store as well', async () => {
    const path = newPath()
    await makeStore(path)
    rmSync(join(path, 'CURRENT'))
    await destroy(path)
    expect(existsSync(path)).toBe(false)
  })

  it.each([true, false])('takes away what a dead opener has left of its claim, LOCK there: %s', async (isLockThere) => {
    const path = newPath()
    await makeStore(path)
    writeFileSync(join(path, 'LOCK.0123456789abcdef'), '')
    if (!isLockThere) rmSync(join(path, 'LOCK'))
    await destroy(path)
    expect(existsSync(path)).toBe(false)
  })

  it('of nothing does nothing', async () => {
    const path = newPath()
    await destroy(path)
    expect(existsSync(path)).toBe(false)
    mkdirSync(path)
    writeFileSync(join(path, 'notes.txt'), 'mine')
    await destroy(path)
    expect(readdirSync(path)).toEqual(['notes.txt'])
    await destroy(':memory:')
  })

  it('of a file is refused', async () => {
    const path = newPath()
    writeFileSync(path, 'a file')
    await expect(destroy(path)).rejects.toMatchObject({ code: 'SILT_IO' })
    expect(readFileSync(path, 'utf8')).toBe('a file')
  })

  it('leaves room for a new store', async () => {
    const fs = new MemoryFileSystem()
    for (let i = 0; i < 3; i++) {
      {
        await using db = await open('/db', { fs, errorIfExists: true })
        await db.put('a', '1')
      }
      await destroy('/db', { fs })
    }
    expect(fs.statusSync('/db')).toBeUndefined()
  })

  it('refuses what cannot be a path', async () => {
    for (const path of ['', undefined, null, 7]) {
      await expect(destroy(path as string)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
  })
})
