import { describe, expect, it } from 'vitest'
import { withSeeds } from './reproduce.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedCrash, SimulatedDisk } from './simulated-disk.js'

const SECTOR = 512

function newDisk(seed: number): SimulatedDisk {
  const disk = new SimulatedDisk(seed)
  disk.makeDirectorySync('/db')
  disk.syncDirectorySync('/')
  return disk
}

/** A file of one repeated byte, synced with its name. */
function settle(disk: SimulatedDisk, path: string, byte: number, length: number): void {
  const file = disk.openSync(path, 'create')
  file.writeSync(new Uint8Array(length).fill(byte), 0, length, 0)
  file.syncSync()
  file.closeSync()
  disk.syncDirectorySync('/db')
}

function overwrite(disk: SimulatedDisk, path: string, byte: number, length: number, offset = 0): void {
  const file = disk.openSync(path, 'update')
  file.writeSync(new Uint8Array(length).fill(byte), 0, length, offset)
  file.closeSync()
}

function content(disk: SimulatedDisk, path: string): Uint8Array {
  const bytes = disk.snapshotFiles().get(path)
  if (bytes === undefined) throw new Error(`${path} is not there`)
  return bytes
}

/** Every state that many crashes of the same disk leave. */
function outcomes<T>(disk: SimulatedDisk, observe: (after: SimulatedDisk) => T, count = 200): Set<T> {
  return new Set(Array.from({ length: count }, () => observe(disk.crash())))
}

describe('bytes in a loss of power', () => {
  it('are there when they were synced', () =>
    withSeeds(50, (_, seed) => {
      const disk = newDisk(seed)
      settle(disk, '/db/a', 1, 5000)
      expect(content(disk.crash(), '/db/a')).toEqual(new Uint8Array(5000).fill(1))
    }))

  it('are there or not, sector by sector, when they were not synced', () => {
    const disk = newDisk(1)
    settle(disk, '/db/a', 1, 4 * SECTOR)
    overwrite(disk, '/db/a', 2, 4 * SECTOR)
    const seen = outcomes(disk, (after) => {
      const bytes = content(after, '/db/a')
      const sectors = [0, 1, 2, 3].map((sector) => bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR))
      for (const sector of sectors) expect(new Set(sector).size).toBe(1)
      return sectors.map((sector) => sector[0]).join('')
    })
    expect(seen).toContain('1111')
    expect(seen).toContain('2222')
    expect(seen).toContain('1112')
    expect(seen).toContain('2111')
  })

  it('leave a sector as it was at some moment, never as it was at none', () => {
    const disk = newDisk(2)
    settle(disk, '/db/a', 1, SECTOR)
    for (const [offset, byte] of [
      [0, 2],
      [100, 3],
      [200, 4],
    ] as const) {
      overwrite(disk, '/db/a', byte, 50, offset)
    }
    const seen = outcomes(disk, (after) => {
      const bytes = content(after, '/db/a')
      return `${bytes[0]}${bytes[100]}${bytes[200]}`
    })
    expect([...seen].sort()).toEqual(['111', '211', '231', '234'])
  })

  it('may be missing from a file that has grown, as zeros or as what lay there before', () => {
    const disk = newDisk(3)
    settle(disk, '/db/a', 1, 100)
    overwrite(disk, '/db/a', 2, 2 * SECTOR, SECTOR)
    const seen = outcomes(disk, (after) => {
      const bytes = content(after, '/db/a')
      expect(bytes.subarray(0, 100)).toEqual(new Uint8Array(100).fill(1))
      if (bytes.length === 100) return 'not grown'
      const kinds = new Set(bytes.subarray(SECTOR))
      return kinds.size > 2 ? 'garbage' : [...kinds].join('+')
    })
    for (const outcome of ['not grown', '2', '0', 'garbage']) expect(seen).toContain(outcome)
  })

  it('come back when a cut is lost, and stay away when it was synced', () => {
    const disk = newDisk(4)
    settle(disk, '/db/a', 1, 4 * SECTOR)
    const file = disk.openSync('/db/a', 'update')
    file.truncateSync(100)
    expect(outcomes(disk.processDeath(), (after) => content(after, '/db/a').length)).toEqual(new Set([100, 4 * SECTOR]))

    const other = newDisk(4)
    settle(other, '/db/a', 1, 4 * SECTOR)
    const cut = other.openSync('/db/a', 'update')
    cut.truncateSync(100)
    cut.syncSync()
    cut.writeSync(Uint8Array.of(9), 0, 1, 3 * SECTOR)
    for (const after of Array.from({ length: 50 }, () => content(other.crash({ garbage: false }), '/db/a'))) {
      expect(after.subarray(0, 100)).toEqual(new Uint8Array(100).fill(1))
      expect(after.subarray(100).every((byte) => byte === 0 || byte === 9)).toBe(true)
    }
  })

  it('are covered by a sync only when they were written before it began', async () => {
    const disk = newDisk(5)
    settle(disk, '/db/a', 1, SECTOR)
    const file = disk.openSync('/db/a', 'update')
    file.writeSync(Uint8Array.of(2), 0, 1, 0)
    const syncing = file.sync()
    file.writeSync(Uint8Array.of(3), 0, 1, 1)
    await syncing
    expect(outcomes(disk, (after) => content(after, '/db/a').subarray(0, 2).join(''))).toEqual(new Set(['21', '23']))
  })

  it('are not covered by a sync that the crash overtakes', async () => {
    const disk = newDisk(6)
    settle(disk, '/db/a', 1, SECTOR)
    const file = disk.openSync('/db/a', 'update')
    file.writeSync(Uint8Array.of(2), 0, 1, 0)
    const syncing = file.sync()
    const after = disk.crash({ survival: 0 })
    await expect(syncing).rejects.toBeInstanceOf(SimulatedCrash)
    expect(content(after, '/db/a')[0]).toBe(1)
  })

  it('all survive or all vanish when the test says so', () => {
    const disk = newDisk(7)
    settle(disk, '/db/a', 1, 4 * SECTOR)
    overwrite(disk, '/db/a', 2, 8 * SECTOR)
    expect(content(disk.crash({ survival: 0 }), '/db/a')).toEqual(new Uint8Array(4 * SECTOR).fill(1))
    expect(content(disk.crash({ survival: 1 }), '/db/a')).toEqual(new Uint8Array(8 * SECTOR).fill(2))
  })
})

describe('names in a loss of power', () => {
  it('of new files may be lost although their bytes were synced', () => {
    const disk = newDisk(1)
    const file = disk.openSync('/db/a', 'create')
    file.writeSync(Uint8Array.of(1), 0, 1, 0)
    file.syncSync()
    expect(outcomes(disk, (after) => after.listSync('/db').join())).toEqual(new Set(['', 'a']))
  })

  it('are there once their directory was synced', () => {
    const disk = newDisk(2)
    settle(disk, '/db/a', 1, 10)
    disk.linkSync('/db/a', '/db/b')
    disk.renameSync('/db/a', '/db/c')
    disk.syncDirectorySync('/db')
    expect(outcomes(disk, (after) => after.listSync('/db').sort().join())).toEqual(new Set(['b,c']))
  })

  it('are renamed or not, never both and never neither', () => {
    const disk = newDisk(3)
    settle(disk, '/db/new', 2, 10)
    settle(disk, '/db/current', 1, 10)
    disk.renameSync('/db/new', '/db/current')
    const seen = outcomes(disk, (after) => {
      const names = after.listSync('/db').sort().join()
      return `${names}:${content(after, '/db/current')[0]}`
    })
    expect(seen).toEqual(new Set(['current,new:1', 'current:2']))
  })

  it('are renamed across directories as one', () => {
    const disk = newDisk(4)
    settle(disk, '/db/a', 1, 10)
    disk.makeDirectorySync('/db/d')
    disk.syncDirectorySync('/db')
    disk.renameSync('/db/a', '/db/d/b')
    const places = (after: SimulatedDisk): string => [...after.snapshotFiles().keys()].join()
    expect(outcomes(disk, places)).toEqual(new Set(['/db/a', '/db/d/b']))
  })

  it('bring with them the changes that they build on', () => {
    const disk = newDisk(5)
    const file = disk.openSync('/db/tmp', 'create')
    file.writeSync(Uint8Array.of(1), 0, 1, 0)
    file.syncSync()
    disk.renameSync('/db/tmp', '/db/final')
    expect(outcomes(disk, (after) => after.listSync('/db').join())).toEqual(new Set(['', 'tmp', 'final']))
  })

  it('survive in any combination where they have nothing to do with each other', () => {
    const disk = newDisk(6)
    for (const name of ['a', 'b', 'c']) disk.openSync(`/db/${name}`, 'create').closeSync()
    expect(outcomes(disk, (after) => after.listSync('/db').sort().join()).size).toBe(8)
  })

  it('that were removed may come back, with their bytes', () => {
    const disk = newDisk(7)
    settle(disk, '/db/a', 1, 10)
    disk.removeSync('/db/a')
    const seen = outcomes(disk, (after) =>
      after.listSync('/db').includes('a') ? content(after, '/db/a').join('') : '',
    )
    expect(seen).toEqual(new Set(['', '1111111111']))
  })

  it('take everything below them along', () => {
    const disk = new SimulatedDisk(8)
    disk.makeDirectorySync('/a/b')
    disk.openSync('/a/b/c', 'create').closeSync()
    disk.syncDirectorySync('/a/b')
    disk.syncDirectorySync('/a')
    expect(outcomes(disk, (after) => [...after.snapshotFiles().keys()].join())).toEqual(new Set(['', '/a/b/c']))
    const whole = new SimulatedDisk(8)
    whole.makeDirectorySync('/a/b')
    for (const directory of ['/a', '/']) whole.syncDirectorySync(directory)
    expect(whole.crash({ survival: 0 }).statusSync('/a/b')?.isDirectory).toBe(true)
  })

  it('of one file stay names of one file', () => {
    const disk = newDisk(9)
    settle(disk, '/db/a', 1, 10)
    disk.linkSync('/db/a', '/db/b')
    disk.syncDirectorySync('/db')
    const after = disk.crash()
    overwrite(after, '/db/a', 2, 10)
    expect(content(after, '/db/b')[0]).toBe(2)
  })
})

describe('the death of a process', () => {
  it('loses nothing that was written, and frees the lock', async () => {
    const disk = newDisk(1)
    await disk.lock('/db')
    const file = disk.openSync('/db/a', 'create')
    file.writeSync(Uint8Array.of(1, 2, 3), 0, 3, 0)
    const after = disk.processDeath()
    expect(content(after, '/db/a')).toEqual(Uint8Array.of(1, 2, 3))
    await (await after.lock('/db')).release()
    expect(after.openHandles).toBe(0)
  })

  it('makes nothing durable', () => {
    const disk = newDisk(2)
    settle(disk, '/db/a', 1, 10)
    overwrite(disk, '/db/a', 2, 10)
    expect(outcomes(disk.processDeath(), (after) => content(after, '/db/a')[0])).toEqual(new Set([1, 2]))
  })
})

describe('a disk that has crashed', () => {
  it('answers nothing any more, through old handles neither', async () => {
    const disk = newDisk(1)
    settle(disk, '/db/a', 1, 10)
    const file = disk.openSync('/db/a', 'update')
    const lock = await disk.lock('/db')
    const pending = file.read(new Uint8Array(1), 0, 1, 0)
    disk.crash()
    expect(disk.crashed).toBe(true)
    const byte = new Uint8Array(1)
    for (const call of [
      () => disk.openSync('/db/b', 'create'),
      () => disk.listSync('/db'),
      () => disk.statusSync('/db/a'),
      () => disk.removeSync('/db/a'),
      () => disk.renameSync('/db/a', '/db/b'),
      () => disk.syncDirectorySync('/db'),
      () => file.readSync(byte, 0, 1, 0),
      () => file.writeSync(byte, 0, 1, 0),
      () => file.syncSync(),
      () => file.truncateSync(0),
      () => file.sizeSync(),
      () => file.closeSync(),
    ]) {
      expect(call).toThrow(SimulatedCrash)
    }
    for (const call of [pending, file.sync(), disk.syncDirectory('/db'), disk.lock('/db'), lock.release()]) {
      await expect(call).rejects.toBeInstanceOf(SimulatedCrash)
    }
  })

  it('cannot be used beside the one it was handed over to', () => {
    const disk = newDisk(2)
    disk.processDeath()
    expect(() => disk.crash()).toThrow('handed over')
  })
})

describe('a crash at a call', () => {
  /** Creates, writes, syncs and renames; returns how far it got. */
  function install(disk: SimulatedDisk): void {
    const file = disk.openSync('/db/tmp', 'create')
    file.writeSync(new Uint8Array(1000).fill(7), 0, 1000, 0)
    file.syncSync()
    file.closeSync()
    disk.renameSync('/db/tmp', '/db/final')
    disk.syncDirectorySync('/db')
  }

  it('stops everything there, and the careful order of calls holds at each of them', () => {
    const whole = newDisk(1)
    const first = whole.callCount + 1
    install(whole)
    const last = whole.callCount
    expect(last - first + 1).toBe(6)
    for (let call = first; call <= last; call++) {
      for (let seed = 1; seed <= 20; seed++) {
        const disk = newDisk(seed)
        disk.crashAtCall(call)
        expect(() => install(disk)).toThrow(SimulatedCrash)
        expect(disk.callCount).toBe(call)
        const after = seed % 2 === 0 ? disk.crash() : disk.processDeath()
        if (after.statusSync('/db/final')) expect(content(after, '/db/final')).toEqual(new Uint8Array(1000).fill(7))
      }
    }
  })

  it('leaves a write part done', () => {
    const lengths = new Set<number>()
    for (let seed = 1; seed <= 50; seed++) {
      const disk = newDisk(seed)
      const file = disk.openSync('/db/a', 'create')
      disk.crashAtCall(disk.callCount + 1)
      expect(() => file.writeSync(new Uint8Array(100), 0, 100, 0)).toThrow(SimulatedCrash)
      lengths.add(content(disk.processDeath(), '/db/a').length)
    }
    expect(lengths.size).toBeGreaterThan(10)
  })
})

describe('randomness', () => {
  it('is the same for the same seed', () => {
    const run = (seed: number): unknown => {
      const disk = newDisk(seed)
      const random = new SeededRandom(seed)
      for (let i = 0; i < 20; i++) {
        settle(disk, `/db/${i}`, i, 2000)
        overwrite(disk, `/db/${i}`, 100 + i, random.between(1, 5000), random.below(3000))
        if (random.chance(0.3)) disk.renameSync(`/db/${i}`, `/db/x${i}`)
      }
      return disk.crash().crash().snapshotFiles()
    }
    expect(run(1)).toEqual(run(1))
    expect(run(1)).not.toEqual(run(2))
  })
})
