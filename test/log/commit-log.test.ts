import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { LOG_HEADER_BYTES } from '../../src/log/log-header.js'
import { RECORD_HEADER_BYTES, recordSynced } from '../../src/log/record.js'
import { append, encode, logPath, newDisk, newLog, numbersOf, payloads, recover, rotate } from './sample-log.js'

describe('the commit log', () => {
  it('writes all records of a group in one call', () => {
    const disk = newDisk()
    const log = newLog(disk)
    const before = disk.callCountOf('write')
    for (const payload of ['one', 'two', 'three']) encode(log, payload)
    expect(disk.snapshotFiles().get(logPath(1))!.length).toBe(LOG_HEADER_BYTES)
    log.writePending()
    expect(disk.callCountOf('write')).toBe(before + 1)
    expect(payloads(recover(disk))).toEqual(['one', 'two', 'three'])
  })

  it('lets go of records that were not written', () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'kept')
    const { end } = log
    encode(log, 'dropped')
    log.dropPending()
    expect(log.end).toBe(end)
    append(log, 'next')
    expect(payloads(recover(disk))).toEqual(['kept', 'next'])
  })

  it('knows what fits to the byte', () => {
    const log = newLog(newDisk(), { capacity: LOG_HEADER_BYTES + RECORD_HEADER_BYTES + 10 })
    expect(log.fits(10)).toBe(true)
    expect(log.fits(11)).toBe(false)
    append(log, '0123456789')
    expect(log.fits(0)).toBe(false)
  })

  it('gives every record the position at which it stands in the endless log', () => {
    const disk = newDisk()
    const log = newLog(disk, { base: 1000 })
    append(log, 'a')
    expect(log.end).toBe(1000 + LOG_HEADER_BYTES + RECORD_HEADER_BYTES + 1)
    const sealed = rotate(log, disk)
    expect(log.active.base).toBe(sealed.endPosition)
    append(log, 'b')
    expect(payloads(recover(disk))).toEqual(['a', 'b'])
  })

  // Recovery would take it for the end of the log and everything behind it for lost.
  it('never seals an empty record', () => {
    const log = newLog(newDisk())
    expect(() => log.endRecord(log.beginRecord(1), 1)).toThrow('a record holds something')
    expect(() => log.endRecord(log.beginRecord(1) + 1, 0)).toThrow('a record holds something')
  })

  it('works on a file system in memory as on any other', async () => {
    const fs = new MemoryFileSystem()
    fs.makeDirectorySync('/db')
    const log = newLog(fs)
    append(log, 'a')
    rotate(log, fs)
    append(log, 'b')
    await log.sync()
    log.close()
    expect(payloads(recover(fs))).toEqual(['a', 'b'])
  })
})

describe('a sync', () => {
  it('is needed for a new log, and for whatever was written since the last one', async () => {
    const log = newLog(newDisk())
    expect(log.needsSync).toBe(true)
    await log.sync()
    expect(log.needsSync).toBe(false)
    encode(log, 'a')
    expect(log.needsSync).toBe(false)
    log.writePending()
    expect(log.needsSync).toBe(true)
    log.syncSync()
    expect(log.needsSync).toBe(false)
    expect(log.synced).toBe(log.end)
  })

  it('covers what was written before it began, not what came meanwhile', async () => {
    const log = newLog(newDisk())
    append(log, 'before')
    const { end } = log
    const syncing = log.sync()
    append(log, 'meanwhile')
    await syncing
    expect(log.synced).toBe(end)
    expect(log.needsSync).toBe(true)
  })

  it('is named by the records that are encoded after it', async () => {
    const log = newLog(newDisk(), { base: 500 })
    append(log, 'a')
    await log.sync()
    const synced = log.end
    const start = log.active.end
    append(log, 'b')
    expect(recordSynced(log.active.bytes, LOG_HEADER_BYTES)).toBe(0)
    expect(recordSynced(log.active.bytes, start)).toBe(synced)
  })

  it('makes the name of a new file durable, once', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    const before = disk.callCountOf('syncDirectory')
    append(log, 'a')
    await log.sync()
    append(log, 'b')
    await log.sync()
    log.syncSync()
    expect(disk.callCountOf('syncDirectory')).toBe(before + 1)
    expect(payloads(recover(disk.crash()))).toEqual(['a', 'b'])
  })

  it('fills the file with zeros ahead of small records, and leaves none where the segment ends', () => {
    const disk = newDisk()
    const log = newLog(disk)
    const sizeOf = (number: number): number => disk.snapshotFiles().get(logPath(number))!.length
    append(log, 'a')
    log.syncSync()
    const filled = sizeOf(1)
    expect(filled).toBeGreaterThan(log.active.end)
    append(log, 'b')
    log.syncSync()
    expect(sizeOf(1)).toBe(filled)
    expect(recover(disk, { strict: true }).losses).toEqual([])
    expect(payloads(recover(disk))).toEqual(['a', 'b'])
    const sealed = rotate(log, disk)
    expect(sizeOf(1)).toBe(sealed.end)
    append(log, 'c')
    log.syncSync()
    const { end } = log.active
    log.close()
    expect(sizeOf(2)).toBe(end)
    expect(payloads(recover(disk))).toEqual(['a', 'b', 'c'])
  })

  it('fills nothing ahead of what is large', () => {
    const disk = newDisk()
    const log = newLog(disk, { capacity: 64 * 1024 })
    append(log, 'x'.repeat(5000))
    log.syncSync()
    expect(disk.snapshotFiles().get(logPath(1))!.length).toBe(log.active.end)
  })

  it('needs no zeros', () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    const heal = disk.failEvery('write', 'ENOSPC')
    log.syncSync()
    heal()
    expect(log.synced).toBe(log.end)
    append(log, 'b')
    log.syncSync()
    expect(payloads(recover(disk.crash()))).toEqual(['a', 'b'])
  })

  it('that fails promises nothing', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    for (const kind of ['sync', 'syncDirectory'] as const) {
      const heal = disk.failEvery(kind, 'EIO')
      await expect(log.sync()).rejects.toThrow('EIO')
      expect(() => log.syncSync()).toThrow('EIO')
      expect(log.synced).toBe(0)
      expect(log.needsSync).toBe(true)
      heal()
    }
  })

  it('that failed is followed by cutting off what was never acknowledged', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'acknowledged')
    await log.sync()
    const offset = log.active.end
    append(log, 'refused')
    log.cutBackTo(log.active, offset)
    expect(payloads(recover(disk.processDeath()))).toEqual(['acknowledged'])
  })
})

describe('a rotation', () => {
  it('leaves it to the next sync to make the sealed segment durable too', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    const sealed = rotate(log, disk)
    append(log, 'b')
    rotate(log, disk)
    append(log, 'c')
    expect(sealed.synced).toBe(0)
    await log.sync()
    expect(sealed.synced).toBe(sealed.written)
    expect(log.needsSync).toBe(false)
    const recovered = recover(disk.crash())
    expect(payloads(recovered)).toEqual(['a', 'b', 'c'])
    expect(numbersOf(recovered)).toEqual([1, 2, 3])
  })

  it('during a sync leaves the new segment and its name to the next one', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    const syncing = log.sync()
    rotate(log, disk)
    append(log, 'b')
    await syncing
    expect(log.needsSync).toBe(true)
    const before = disk.callCountOf('syncDirectory')
    await log.sync()
    expect(disk.callCountOf('syncDirectory')).toBe(before + 1)
    expect(payloads(recover(disk.crash({ survival: 0 })))).toEqual(['a', 'b'])
  })

  it('is refused while records are pending', () => {
    const disk = newDisk()
    const log = newLog(disk)
    encode(log, 'a')
    expect(() => rotate(log, disk)).toThrow('only when all of it is written')
  })

  it('lets a retired segment go without ever syncing it', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    const sealed = rotate(log, disk)
    log.retire(sealed)
    expect(disk.openPaths).toEqual([logPath(2)])
    const before = disk.callCountOf('sync')
    await log.sync()
    expect(disk.callCountOf('sync')).toBe(before + 1)
    log.close()
    expect(disk.openHandles).toBe(0)
  })

  // The sync waited for an older segment, and then asked one for its file that had been flushed and closed meanwhile.
  it('during a sync, and the flush of what it sealed, do not fail the sync', async () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    rotate(log, disk)
    append(log, 'b')
    const syncing = log.sync()
    log.retire(rotate(log, disk))
    await syncing
    expect(log.active.number).toBe(3)
    expect(log.needsSync).toBe(true)
  })
})
