import { describe, expect, it } from 'vitest'
import type { FileHandle } from '../../src/fs/file-system.js'
import { SimulatedDisk } from './simulated-disk.js'

function newDisk(seed = 1): SimulatedDisk {
  const disk = new SimulatedDisk(seed)
  disk.makeDirectorySync('/db')
  disk.syncDirectorySync('/')
  return disk
}

function withFile(): { disk: SimulatedDisk; file: FileHandle } {
  const disk = newDisk()
  const file = disk.openSync('/db/a', 'create')
  disk.syncDirectorySync('/db')
  return { disk, file }
}

function put(file: FileHandle, byte: number, length: number, offset = 0): number {
  return file.writeSync(new Uint8Array(length).fill(byte), 0, length, offset)
}

function failing(code: string): object {
  return expect.objectContaining({ code })
}

describe('a planned fault', () => {
  it('hits the call with its number, and no other', () => {
    const { disk, file } = withFile()
    disk.failCall(disk.callCount + 2, 'EIO')
    expect(put(file, 1, 10)).toBe(10)
    expect(() => file.sizeSync()).toThrow('EIO: i/o error, fstat')
    expect(file.sizeSync()).toBe(10)
  })

  it('hits the call with its number within a kind', () => {
    const { disk, file } = withFile()
    disk.failCall(disk.callCountOf('write') + 2, 'EIO', 'write')
    put(file, 1, 1)
    file.syncSync()
    expect(() => put(file, 2, 1)).toThrow(failing('EIO'))
    expect(put(file, 3, 1)).toBe(1)
  })

  it('hits every call of a kind and a path until it is healed', () => {
    const { disk, file } = withFile()
    const heal = disk.failEvery('open', 'EMFILE', '/db/log')
    for (let i = 0; i < 3; i++) expect(() => disk.openSync('/db/log.1', 'create')).toThrow(failing('EMFILE'))
    disk.openSync('/db/table.1', 'create').closeSync()
    heal()
    disk.openSync('/db/log.1', 'create').closeSync()
    file.closeSync()
    expect(disk.openHandles).toBe(0)
  })

  it('fails what runs on the pool with a rejection', async () => {
    const { disk, file } = withFile()
    disk.failEvery('read', 'EIO')
    disk.failEvery('syncDirectory', 'EIO')
    disk.failEvery('lock', 'EIO')
    await expect(file.read(new Uint8Array(1), 0, 1, 0)).rejects.toThrow(failing('EIO'))
    await expect(disk.syncDirectory('/db')).rejects.toThrow(failing('EIO'))
    await expect(disk.lock('/db')).rejects.toThrow(failing('EIO'))
  })

  it('leaves nothing behind of a call that failed', () => {
    const { disk, file } = withFile()
    for (const kind of ['write', 'truncate', 'rename', 'remove', 'open'] as const) disk.failEvery(kind, 'EIO')
    expect(() => put(file, 1, 10)).toThrow(failing('EIO'))
    expect(() => file.truncateSync(5)).toThrow(failing('EIO'))
    expect(() => disk.renameSync('/db/a', '/db/b')).toThrow(failing('EIO'))
    expect(() => disk.removeSync('/db/a')).toThrow(failing('EIO'))
    expect(() => disk.openSync('/db/b', 'create')).toThrow(failing('EIO'))
    expect([...disk.snapshotFiles()]).toEqual([['/db/a', new Uint8Array(0)]])
  })

  it('closes a file although the close fails', () => {
    const { disk, file } = withFile()
    disk.failEvery('close', 'EIO')
    expect(() => file.closeSync()).toThrow(failing('EIO'))
    expect(disk.openHandles).toBe(0)
  })
})

describe('a short write', () => {
  it('writes some of its bytes and says how many', () => {
    const { disk, file } = withFile()
    disk.shortWriteAtCall(disk.callCountOf('write') + 1)
    const written = put(file, 1, 100)
    expect(written).toBeGreaterThan(0)
    expect(written).toBeLessThan(100)
    expect(file.sizeSync()).toBe(written)
    expect(put(file, 1, 100)).toBe(100)
  })
})

describe('a sync that fails', () => {
  it('leaves bytes that no later sync saves', () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 40; seed++) {
      const disk = newDisk(seed)
      const file = disk.openSync('/db/a', 'create')
      disk.syncDirectorySync('/db')
      put(file, 1, 2048)
      disk.failCall(disk.callCountOf('sync') + 1, 'EIO', 'sync')
      expect(() => file.syncSync()).toThrow(failing('EIO'))
      file.syncSync()
      const bytes = disk.crash({ survival: 1 }).snapshotFiles().get('/db/a')!
      seen.add(bytes.length === 2048 && bytes.every((byte) => byte === 1) ? 'whole' : 'damaged')
    }
    expect(seen).toContain('damaged')
  })

  it('shows the bytes all the same until the power goes', () => {
    const { disk, file } = withFile()
    put(file, 1, 10)
    const heal = disk.failEvery('sync', 'EIO')
    expect(() => file.syncSync()).toThrow(failing('EIO'))
    heal()
    expect(disk.snapshotFiles().get('/db/a')).toEqual(new Uint8Array(10).fill(1))
  })
})

describe('a sync that lies', () => {
  it('saves nothing', async () => {
    const { disk, file } = withFile()
    disk.lyingSync = true
    put(file, 1, 10)
    file.syncSync()
    await file.sync()
    disk.openSync('/db/b', 'create').closeSync()
    disk.syncDirectorySync('/db')
    expect([...disk.crash({ survival: 0 }).snapshotFiles()]).toEqual([['/db/a', new Uint8Array(0)]])
  })
})

describe('a full disk', () => {
  it('takes what fits, then nothing, and writes again once there is room', () => {
    const { disk, file } = withFile()
    disk.quotaBytes = 100
    expect(put(file, 1, 80)).toBe(80)
    expect(put(file, 2, 80, 80)).toBe(20)
    expect(() => put(file, 3, 1, 100)).toThrow(failing('ENOSPC'))
    expect(put(file, 4, 50)).toBe(50)
    disk.quotaBytes = 200
    expect(put(file, 5, 80, 100)).toBe(80)
  })

  it('gets its room back when the last name and the last handle of a file are gone', () => {
    const { disk, file } = withFile()
    disk.quotaBytes = 100
    put(file, 1, 100)
    const other = disk.openSync('/db/b', 'create')
    disk.removeSync('/db/a')
    expect(() => put(other, 1, 1)).toThrow(failing('ENOSPC'))
    file.closeSync()
    expect(put(other, 1, 100)).toBe(100)
  })
})

describe('a descriptor limit', () => {
  it('refuses one file too many', () => {
    const { disk, file } = withFile()
    disk.descriptorLimit = 2
    const second = disk.openSync('/db/b', 'create')
    expect(() => disk.openSync('/db/c', 'create')).toThrow(failing('EMFILE'))
    expect(disk.statusSync('/db/c')).toBeUndefined()
    expect(disk.openPaths).toEqual(['/db/a', '/db/b'])
    second.closeSync()
    disk.openSync('/db/c', 'create').closeSync()
    file.closeSync()
  })
})

describe('rot', () => {
  it('flips bits on the disk and in what is read', () => {
    const { disk, file } = withFile()
    put(file, 0b0101, 10)
    file.syncSync()
    put(file, 0b0101, 10, 10)
    disk.corrupt('/db/a', 3, 0b0110)
    disk.corrupt('/db/a', 13, 0b0110)
    for (const disks of [disk, disk.crash({ survival: 1 })]) {
      const bytes = disks.snapshotFiles().get('/db/a')!
      expect([...bytes.entries()].filter(([, byte]) => byte !== 0b0101)).toEqual([
        [3, 0b0011],
        [13, 0b0011],
      ])
    }
    expect(() => disk.corrupt('/db/a', 20, 1)).toThrow(RangeError)
  })

  it('stays where it is when the power goes', () => {
    const { disk, file } = withFile()
    put(file, 1, 10)
    file.syncSync()
    const after = disk.crash()
    after.corrupt('/db/a', 3, 2)
    expect(after.crash().snapshotFiles().get('/db/a')).toEqual(Uint8Array.of(1, 1, 1, 3, 1, 1, 1, 1, 1, 1))
  })

  it('cuts files for good', () => {
    const { disk, file } = withFile()
    put(file, 1, 10)
    disk.truncate('/db/a', 4)
    expect(disk.crash({ survival: 0 }).snapshotFiles().get('/db/a')).toEqual(new Uint8Array(4).fill(1))
  })
})

describe('what a test sees', () => {
  it('holds back a read on the pool as long as it wants', async () => {
    const { disk, file } = withFile()
    put(file, 1, 10)
    const seen: unknown[] = []
    let letGo = (): void => undefined
    disk.onRead = (read) => {
      seen.push(read)
      return read.onPool ? new Promise((resolve) => (letGo = resolve)) : undefined
    }
    file.readSync(new Uint8Array(1), 0, 1, 5)
    let done = false
    const reading = file.read(new Uint8Array(2), 0, 2, 0).then(() => (done = true))
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    expect(done).toBe(false)
    letGo()
    await reading
    expect(seen).toEqual([
      { path: '/db/a', offset: 5, length: 1, onPool: false },
      { path: '/db/a', offset: 0, length: 2, onPool: true },
    ])
  })

  it('is what was called, as far back as it is remembered', () => {
    const { disk, file } = withFile()
    put(file, 1, 10, 20)
    expect(disk.history()).toBe(
      [
        '1 makeDirectory /db',
        '2 syncDirectory /',
        '3 open /db/a create',
        '4 syncDirectory /db',
        '5 write /db/a 10 bytes at 20',
      ].join('\n'),
    )
    for (let i = 0; i < 500; i++) file.sizeSync()
    expect(disk.calls).toHaveLength(200)
    expect(disk.calls.at(-1)?.number).toBe(disk.callCount)
  })
})
