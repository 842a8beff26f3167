import { describe, expect, it } from 'vitest'
import { LOG_HEADER_BYTES } from '../../src/log/log-header.js'
import type { SimulatedDisk } from '../simulation/simulated-disk.js'
import {
  append,
  logPath,
  newDisk,
  newLog,
  newSegment,
  numbersOf,
  overwrite,
  payloads,
  recover,
  rotate,
  STORE,
} from './sample-log.js'

/** Three segments with two records each, never synced. */
function threeSegments(): SimulatedDisk {
  const disk = newDisk()
  const log = newLog(disk)
  for (const payload of ['1a', '1b']) append(log, payload)
  rotate(log, disk)
  for (const payload of ['2a', '2b']) append(log, payload)
  rotate(log, disk)
  for (const payload of ['3a', '3b']) append(log, payload)
  log.close()
  return disk
}

function lengthOf(disk: SimulatedDisk, number: number): number {
  return disk.snapshotFiles().get(logPath(number))!.length
}

const CORRUPT = { code: 'SILT_CORRUPTION' }

describe('a chain of segments', () => {
  it('is read in order', () => {
    const disk = threeSegments()
    const log = recover(disk)
    expect(payloads(log)).toEqual(['1a', '1b', '2a', '2b', '3a', '3b'])
    expect(log).toMatchObject({ losses: [], dropped: [], end: log.segments[2]!.segment.endPosition })
    expect(disk.openHandles).toBe(0)
  })

  it('may be empty', () => {
    expect(recover(newDisk())).toEqual({ segments: [], losses: [], dropped: [], end: 0, synced: 0, lastEditNamed: 0 })
  })

  it('may begin anywhere: what comes before its first segment stands in tables', () => {
    const disk = threeSegments()
    disk.removeSync(logPath(1))
    expect(payloads(recover(disk))).toEqual(['2a', '2b', '3a', '3b'])
  })

  it('keeps room for what its last segment may still take', () => {
    const disk = threeSegments()
    expect(recover(disk, { room: 10_000 }).segments[2]!.segment.bytes.length).toBe(4096)
    // No more than is wanted, whatever its header says.
    expect(recover(disk, { room: 2000 }).segments[2]!.segment.bytes.length).toBe(2000)
  })

  it('ends where a segment is missing, and says so', () => {
    const disk = threeSegments()
    disk.removeSync(logPath(2))
    const log = recover(disk)
    expect(payloads(log)).toEqual(['1a', '1b'])
    expect(log.dropped).toEqual([logPath(3)])
    expect(log.losses).toEqual([{ file: logPath(1), offset: lengthOf(disk, 1), bytes: 0, kind: 'gap' }])
  })

  it('ends where a segment ends too early, though at the end of a record', () => {
    const disk = threeSegments()
    const end = recover(disk).segments[1]!.records[1]!
    disk.truncate(logPath(2), end)
    const log = recover(disk)
    expect(payloads(log)).toEqual(['1a', '1b', '2a'])
    expect(log.losses).toEqual([{ file: logPath(2), offset: end, bytes: 0, kind: 'gap' }])
    expect(log.dropped).toEqual([logPath(3)])
  })

  it('ends at a torn record, wherever it is torn', () => {
    const whole = threeSegments()
    const { records, segment } = recover(whole).segments[1]!
    for (let length = records[1]! + 1; length < segment.end; length++) {
      const disk = threeSegments()
      disk.truncate(logPath(2), length)
      const log = recover(disk, { strict: true })
      expect(payloads(log)).toEqual(['1a', '1b', '2a'])
      expect(log.losses).toEqual([{ file: logPath(2), offset: records[1], bytes: length - records[1]!, kind: 'torn' }])
    }
  })

  it('names the newest manifest edit that any of its segments follows', () => {
    const disk = newDisk()
    const log = newLog(disk, { lastEdit: 3 })
    rotate(log, disk, { lastEdit: 8 })
    expect(recover(disk, { lastEdit: 8 }).lastEditNamed).toBe(8)
  })
})

describe('a segment that was being made when the power went', () => {
  const ways: Record<string, (disk: SimulatedDisk) => void> = {
    'is empty': (disk) => disk.truncate(logPath(2), 0),
    'ends inside its header': (disk) => disk.truncate(logPath(2), LOG_HEADER_BYTES - 1),
    'holds only zeros': (disk) => overwrite(disk, logPath(2), 0, new Uint8Array(lengthOf(disk, 2))),
    // It was refused as damaged, and with it the store.
    'holds what lay in its sector before': (disk) =>
      overwrite(disk, logPath(2), 0, disk.random.bytes(lengthOf(disk, 2))),
  }
  for (const [way, damage] of Object.entries(ways)) {
    it(`${way}, and ends the log`, () => {
      const disk = threeSegments()
      damage(disk)
      const bytes = lengthOf(disk, 2)
      const log = recover(disk, { strict: true })
      expect(payloads(log)).toEqual(['1a', '1b'])
      expect(log.dropped).toEqual([logPath(2), logPath(3)])
      expect(log.losses).toEqual([{ file: logPath(2), offset: 0, bytes, kind: 'torn' }])
    })
  }

  // The ones behind it were taken for the beginning, so that a store came up without its oldest writes.
  it('ends the log also where it is the first', () => {
    const disk = threeSegments()
    disk.truncate(logPath(1), 0)
    const log = recover(disk)
    expect(payloads(log)).toEqual([])
    expect(log.dropped).toEqual([logPath(1), logPath(2), logPath(3)])
    expect(log.losses).toEqual([{ file: logPath(1), offset: 0, bytes: 0, kind: 'torn' }])
  })
})

describe('a header that was on disk once', () => {
  it('is damage where a record stands beside it', () => {
    for (const strict of [true, false]) {
      const disk = threeSegments()
      disk.corrupt(logPath(2), 20, 1)
      expect(() => recover(disk, { strict })).toThrow(expect.objectContaining({ ...CORRUPT, file: logPath(2) }))
    }
  })

  it('of another store is refused', () => {
    const disk = threeSegments()
    expect(() => recover(disk, { storeId: STORE + 1 })).toThrow('belongs to another store')
  })

  it('of another number is refused: the file was renamed', () => {
    const disk = threeSegments()
    disk.renameSync(logPath(3), logPath(4))
    expect(() => recover(disk)).toThrow('it says that it is log 3')
  })

  it('that follows an edit which the manifest does not have is refused, unless a writer is at work on both', () => {
    const disk = newDisk()
    append(newLog(disk, { lastEdit: 9 }), 'a')
    expect(() => recover(disk, { lastEdit: 8 })).toThrow('the manifest was cut short')
    expect(payloads(recover(disk, { lastEdit: 9 }))).toEqual(['a'])
    expect(recover(disk, { lastEdit: 8, live: true }).lastEditNamed).toBe(9)
  })
})

describe('a segment that cannot be read', () => {
  it('is an error of the disk, and leaves nothing open', () => {
    const disk = threeSegments()
    const heal = disk.failEvery('read', 'EIO', logPath(2))
    expect(() => recover(disk)).toThrow(expect.objectContaining({ code: 'SILT_IO', file: logPath(2) }))
    expect(disk.openHandles).toBe(0)
    heal()
    expect(numbersOf(recover(disk))).toEqual([1, 2, 3])
  })
})

describe('a segment made by a recovery', () => {
  /** A recovery found the log torn in segment 2, after `2a`, and went on in segment 4, far behind all positions in use. */
  function resumed(): SimulatedDisk {
    const disk = threeSegments()
    const { records, segment } = recover(disk).segments[1]!
    disk.corrupt(logPath(2), records[1]! + 5, 1)
    const previousEnd = segment.base + records[1]!
    const fourth = newSegment(disk, 4, { base: 100_000, previousEnd })
    fourth.closeFile()
    return disk
  }

  it('follows the sound part, although what it replaced is still there', () => {
    const log = recover(resumed(), { strict: true })
    expect(numbersOf(log)).toEqual([1, 2, 4])
    expect(payloads(log)).toEqual(['1a', '1b', '2a'])
    expect(log.dropped).toEqual([logPath(3)])
    expect(log.losses).toEqual([])
    expect(log.end).toBe(100_000 + LOG_HEADER_BYTES)
  })
})
