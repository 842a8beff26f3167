import { describe, expect, it } from 'vitest'
import type { SimulatedDisk } from '../simulation/simulated-disk.js'
import { append, logPath, newDisk, newLog, payloads, recover, rotate } from './sample-log.js'

/** Records `a` and `b`, acknowledged as synced; `c`, which says so; and `d` in a segment of its own. */
function syncedLog(): { disk: SimulatedDisk; offsets: number[]; end: number } {
  const disk = newDisk()
  const log = newLog(disk)
  append(log, 'a')
  append(log, 'b')
  log.syncSync()
  append(log, 'c')
  rotate(log, disk)
  append(log, 'd')
  log.syncSync()
  const end = log.end
  log.close()
  return { disk, offsets: recover(disk).segments[0]!.records, end }
}

describe('damage in what was synced', () => {
  it('is refused by a strict recovery, which names the place and the way out', () => {
    const { disk, offsets } = syncedLog()
    disk.corrupt(logPath(1), offsets[1]! + 20, 1)
    const refusal = { code: 'SILT_CORRUPTION', file: logPath(1), offset: offsets[1] }
    expect(() => recover(disk, { strict: true })).toThrow(expect.objectContaining(refusal))
    expect(() => recover(disk, { strict: true })).toThrow("recovery: 'point-in-time'")
  })

  it('is reported by one to a point in time, which uses what comes before and nothing behind', () => {
    const { disk, offsets } = syncedLog()
    disk.corrupt(logPath(1), offsets[1]! + 20, 1)
    const log = recover(disk)
    expect(payloads(log)).toEqual(['a'])
    expect(log.losses).toMatchObject([{ file: logPath(1), offset: offsets[1], kind: 'rot' }])
    expect(log.dropped).toEqual([logPath(2)])
  })

  it('is known for that also when only a record of a later segment says what was synced', () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    rotate(log, disk)
    log.syncSync()
    append(log, 'b')
    const [offset] = recover(disk).segments[0]!.records
    disk.truncate(logPath(1), offset! + 10)
    expect(() => recover(disk, { strict: true })).toThrow(expect.objectContaining({ file: logPath(1), offset }))
    expect(recover(disk).losses).toMatchObject([{ file: logPath(1), kind: 'rot' }])
  })

  it('is known for that where the end of the log was cut off after a clean close', () => {
    const { disk, end } = syncedLog()
    const { segment, records } = recover(disk).segments[1]!
    disk.truncate(segment.path, records[0]!)
    // Nothing that is left says that there was more; only the manifest knows.
    expect(recover(disk, { strict: true }).losses).toEqual([])
    expect(recover(disk, { knownSynced: end }).losses).toEqual([
      { file: segment.path, offset: records[0], bytes: 0, kind: 'rot' },
    ])
    expect(() => recover(disk, { knownSynced: end, strict: true })).toThrow('synced further')
  })

  it('is not what a missing segment of unsynced records is: that is a gap, and no promise broken', () => {
    const disk = newDisk()
    const log = newLog(disk)
    append(log, 'a')
    log.syncSync()
    rotate(log, disk)
    append(log, 'b')
    rotate(log, disk)
    append(log, 'c')
    disk.removeSync(logPath(2))
    const recovered = recover(disk, { strict: true })
    expect(payloads(recovered)).toEqual(['a'])
    expect(recovered.losses).toMatchObject([{ file: logPath(1), kind: 'gap' }])
  })
})

describe('a reader beside a live writer', () => {
  it('takes a record that is only half there for one that is being written', () => {
    const { disk } = syncedLog()
    const { segment } = recover(disk).segments[1]!
    disk.truncate(segment.path, segment.end - 1)
    const log = recover(disk, { live: true })
    expect(payloads(log)).toEqual(['a', 'b', 'c'])
    expect(log.losses).toEqual([])
  })

  it('takes a segment without a header for one that is being made', () => {
    const { disk } = syncedLog()
    disk.openSync(logPath(3), 'create').closeSync()
    const log = recover(disk, { live: true })
    expect(payloads(log)).toEqual(['a', 'b', 'c', 'd'])
    expect(log.losses).toEqual([])
  })
})
