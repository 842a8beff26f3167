import { symlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { destroy, MemoryFileSystem, open } from '../../src/index.js'
import { StoreProcess } from './store-process.js'
import { temporaryDirectories } from './temporary.js'

const newPath = temporaryDirectories()

function lockedBy(pid: number): unknown {
  return expect.objectContaining({ code: 'SILT_LOCKED', pid, message: expect.stringContaining(String(pid)) })
}

describe('an open store', () => {
  it('is refused to a second opener of this process, by any path to it', async () => {
    const path = newPath()
    const link = newPath()
    await using db = await open(path)
    symlinkSync(path, link)
    for (const way of [path, `${path}/`, `${path}/../${path.split('/').at(-1)}`, link]) {
      await expect(open(way), way).rejects.toEqual(lockedBy(process.pid))
    }
    await db.put('a', '1')
    expect(await db.get('a')).toBe('1')
  })

  it('is refused to another process, and that one’s to this', async () => {
    await using other = new StoreProcess()
    const ours = newPath()
    const theirs = newPath()
    await using _ = await open(ours)
    await other.call('open', theirs)
    await expect(other.call('open', ours)).rejects.toEqual(lockedBy(process.pid))
    await expect(open(theirs)).rejects.toEqual(lockedBy(other.pid))
  })

  it('is free when it is closed, and when its process is dead', async () => {
    const path = newPath()
    await (await open(path)).close()
    await using other = new StoreProcess()
    await other.call('open', path)
    await other.call('put', 'a', '1')
    await other.kill()
    await using db = await open(path)
    expect(await db.get('a')).toBe('1')
  })

  it('is not destroyed, by this process or another', async () => {
    await using other = new StoreProcess()
    const path = newPath()
    const db = await open(path)
    await db.put('a', '1')
    await db.flush()
    await expect(destroy(path)).rejects.toEqual(lockedBy(process.pid))
    await expect(other.call('destroy', path)).rejects.toEqual(lockedBy(process.pid))
    expect(await db.get('a')).toBe('1')
    await db.close()
    await using again = await open(path)
    expect(await again.get('a')).toBe('1')
  })

  it('is refused in memory as well', async () => {
    const fs = new MemoryFileSystem()
    await using _ = await open('/db', { fs })
    await expect(open('/db', { fs })).rejects.toEqual(lockedBy(process.pid))
    await expect(destroy('/db', { fs })).rejects.toEqual(lockedBy(process.pid))
  })

  it('can be read beside, which takes no lock', async () => {
    const path = newPath()
    await using db = await open(path)
    await db.put('a', '1')
    await using reader = await open(path, { readOnly: true })
    expect(await reader.get('a')).toBe('1')
    await reader.close()
    await expect(open(path)).rejects.toEqual(lockedBy(process.pid))
  })

  it('that could not be opened is not left locked', async () => {
    const path = newPath()
    await (await open(path)).close()
    await expect(open(path, { errorIfExists: true })).rejects.toMatchObject({ code: 'SILT_EXISTS' })
    await (await open(path)).close()
  })
})
