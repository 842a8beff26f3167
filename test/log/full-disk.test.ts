import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { createSegment } from '../../src/log/commit-log.js'
import { LOG_HEADER_BYTES } from '../../src/log/log-header.js'
import type { SimulatedDisk } from '../simulation/simulated-disk.js'
import { append, encode, logPath, newDisk, newLog, newSegment, payloads, recover, rotate } from './sample-log.js'

const FULL = expect.objectContaining({ code: 'SILT_NO_SPACE', file: logPath(1) })

function usedBytes(disk: SimulatedDisk): number {
  return [...disk.snapshotFiles().values()].reduce((sum, bytes) => sum + bytes.length, 0)
}

describe('a write', () => {
  it('that comes out short is gone on with', () => {
    const disk = newDisk()
    const log = newLog(disk)
    disk.shortWriteAtCall(disk.callCountOf('write') + 1)
    disk.shortWriteAtCall(disk.callCountOf('write') + 2)
    append(log, 'a rather long payload')
    expect(disk.callCountOf('write')).toBe(4)
    expect(payloads(recover(disk))).toEqual(['a rather long payload'])
  })

  it('that finds no space is taken back whole, and the log works on when there is some', () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'first')
    const { end } = log
    // Room for the first record of the group, and for some of the second.
    disk.quotaBytes = usedBytes(disk) + 60
    encode(log, 'refused')
    encode(log, 'refused as well')
    expect(() => log.writePending()).toThrow(FULL)
    expect(log.end).toBe(end)
    expect(disk.snapshotFiles().get(logPath(1))!.length).toBe(log.active.end)
    expect(payloads(recover(disk))).toEqual(['first'])

    encode(log, 'refused again: still no space')
    expect(() => log.writePending()).toThrow(FULL)
    disk.quotaBytes = Number.POSITIVE_INFINITY
    append(log, 'second')
    expect(payloads(recover(disk))).toEqual(['first', 'second'])
  })

  it('that fails does not make what was written before it any less so', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'first')
    disk.failCall(disk.callCountOf('write') + 1, 'EIO', 'write')
    encode(log, 'refused')
    expect(() => log.writePending()).toThrow(expect.objectContaining({ code: 'SILT_IO' }))
    await log.sync()
    expect(log.synced).toBe(log.end)
    expect(payloads(recover(disk.crash()))).toEqual(['first'])
  })
})

describe('a failed write that cannot be cut off', () => {
  /** A whole record of a refused group stands in the file. */
  function withUncutTail(): { disk: SimulatedDisk; log: ReturnType<typeof newLog>; heal: () => void } {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'first')
    const heal = disk.failEvery('truncate', 'EIO')
    disk.quotaBytes = usedBytes(disk) + 45
    encode(log, 'refused')
    encode(log, 'refused as well')
    expect(() => log.writePending()).toThrow(FULL)
    disk.quotaBytes = Number.POSITIVE_INFINITY
    expect(payloads(recover(disk))).toEqual(['first', 'refused'])
    return { disk, log, heal }
  }

  it('keeps everything else from being appended behind it', () => {
    const { disk, log } = withUncutTail()
    const before = disk.callCountOf('write')
    for (let i = 0; i < 3; i++) {
      encode(log, 'next')
      expect(() => log.writePending()).toThrow('cut a failed write off')
    }
    expect(disk.callCountOf('write')).toBe(before)
  })

  it('is cut off before the next write as soon as that works', () => {
    const { disk, log, heal } = withUncutTail()
    heal()
    append(log, 'second')
    expect(payloads(recover(disk))).toEqual(['first', 'second'])
  })

  // The sealed segment kept the refused record, so the next one did not follow it, and recovery dropped all that came after.
  it('keeps the log in its segment until the cut succeeds', () => {
    const { disk, log, heal } = withUncutTail()
    expect(() => rotate(log, disk)).toThrow('cut a failed write off')
    expect(log.active.number).toBe(1)
    expect([...disk.snapshotFiles().keys()]).toEqual([logPath(1)])
    expect(disk.openPaths).toEqual([logPath(1)])
    heal()
    rotate(log, disk)
    append(log, 'second')
    const recovered = recover(disk)
    expect(payloads(recovered)).toEqual(['first', 'second'])
    expect(recovered.losses).toEqual([])
  })

  it('is cut off at the latest when the log is closed', () => {
    const { disk, log, heal } = withUncutTail()
    heal()
    log.close()
    expect(payloads(recover(disk))).toEqual(['first'])
  })

  it('does not keep the log from being closed', () => {
    const { disk, log } = withUncutTail()
    log.close()
    expect(disk.openHandles).toBe(0)
  })
})

describe('a new segment', () => {
  it('that cannot be made leaves neither a file nor a descriptor behind', () => {
    const disk = newDisk()
    disk.quotaBytes = LOG_HEADER_BYTES - 1
    expect(() => newSegment(disk, 1)).toThrow(FULL)
    expect(disk.snapshotFiles().size).toBe(0)
    expect(disk.openHandles).toBe(0)
    disk.quotaBytes = LOG_HEADER_BYTES
    newSegment(disk, 1)
  })

  it('never takes the place of a file that is there', () => {
    const disk = newDisk()
    newSegment(disk, 1)
    expect(() => newSegment(disk, 1)).toThrow(expect.objectContaining({ code: 'SILT_IO' }))
    expect(disk.snapshotFiles().size).toBe(1)
  })

  // It was tried again for ever.
  it('is given up where the file takes nothing and reports no error', () => {
    const fs = new MemoryFileSystem()
    fs.makeDirectorySync('/db')
    const open = fs.openSync.bind(fs)
    fs.openSync = (path, mode) => Object.assign(open(path, mode), { writeSync: () => 0 })
    const make = (): unknown =>
      createSegment(fs, logPath(1), {
        magic: 'SILTLOG\n',
        number: 1,
        base: 0,
        previousEnd: 0,
        capacity: 1000,
        lastEdit: 0,
        createdAt: 0,
        storeId: 1,
      })
    expect(make).toThrow('made no progress')
    expect(fs.listSync('/db')).toEqual([])
  })
})
