import { describe, expect, it } from 'vitest'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { DIRECTORY, ForestFixture } from './forest-fixture.js'

function currentPath(disk: SimulatedDisk): string {
  const bytes = disk.snapshotFiles().get(`${DIRECTORY}/CURRENT`)!
  return `${DIRECTORY}/${Buffer.from(bytes).toString().trim()}`
}

function sizeOf(disk: SimulatedDisk, path: string): number {
  return disk.statusSync(path)!.bytes
}

async function storeWithFlushes(disk: SimulatedDisk, count: number): Promise<ForestFixture> {
  const fixture = await ForestFixture.open({ fs: disk })
  for (let i = 0; i < count; i++) {
    fixture.segment.put(1, `key ${i}`, `value ${i}`)
    await fixture.flush()
  }
  return fixture
}

describe('the manifest', () => {
  it('remembers tables, trees, the end of the log and how the session ended', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await ForestFixture.open({ fs: disk })
    fixture.tree(7, { compaction: 'tiered', queue: { maxLength: 3 } })
    fixture.segment.put(7, new Uint8Array([0, 255]), 'bytes')
    fixture.segment.deleteRange(7, 'from here on')
    await fixture.flush()
    const before = fixture.tree(7).version.metas()
    const { storeId, logFrom } = fixture.forest
    const end = fixture.segment.position
    await fixture.close()
    const { number } = fixture.segment
    await fixture.reopen()
    expect(fixture.tree(7).version.metas()).toEqual(before)
    expect(fixture.tree(7)).toMatchObject({
      name: 'tree 7',
      options: { compaction: 'tiered', queue: { maxLength: 3 } },
    })
    expect(fixture.forest).toMatchObject({ storeId, logFrom, firstFreePosition: end })
    expect(logFrom).toBe(number)
    await fixture.close()
  })

  it('tells a clean end from a crash, and takes it back with the first edit of the next session', async () => {
    const fixture = await ForestFixture.open({ fs: new SimulatedDisk(1) })
    const clean = { segment: 5, end: 1000 }
    await fixture.forest.close(clean)
    const { Forest } = await import('../../src/tree/forest.js')
    const looking = await Forest.open(fixture.environment())
    expect(looking.clean).toEqual(clean)
    await looking.close({ segment: 6, end: 2000 })
    const writing = await Forest.open(fixture.environment())
    expect(writing.clean).toEqual(clean)
    writing.leasePositions(1001)
    expect(writing.clean).toBeNull()
  })

  it('never hands out a number or position twice, whatever a crash has erased', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await ForestFixture.open({ fs: disk })
    const numbers = Array.from({ length: 25_000 }, () => fixture.forest.nextFileNumber())
    expect(new Set(numbers).size).toBe(numbers.length)
    fixture.forest.leasePositions(123_456_789)
    const after = await ForestFixture.open({ fs: disk.crash({ survival: 0 }) })
    expect(after.forest.nextFileNumber()).toBeGreaterThan(numbers.at(-1)!)
    expect(after.forest.firstFreePosition).toBeGreaterThanOrEqual(123_456_789)
  })

  it('cuts off an edit that was torn, because nobody was told of it', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await storeWithFlushes(disk, 2)
    const path = currentPath(disk)
    const bytes = sizeOf(disk, path)
    fixture.segment.put(1, 'key 2', 'value 2')
    await fixture.flush()
    disk.truncate(path, bytes + 40)
    const after = await ForestFixture.open({ fs: disk.processDeath() })
    expect(after.get(1, 'key 1')).toBe('value 1')
    expect(after.get(1, 'key 2')).toBeUndefined()
    after.segment.put(1, 'key 3', 'value 3')
    await after.flush()
    expect(currentPath(after.fs as SimulatedDisk)).not.toBe(path)
    await after.reopen()
    expect(after.get(1, 'key 3')).toBe('value 3')
  })

  it('refuses to open over an edit that rotted, and names the place', async () => {
    const disk = new SimulatedDisk(1)
    await storeWithFlushes(disk, 3)
    const path = currentPath(disk)
    disk.corrupt(path, 80 + 40, 0xff)
    const opening = ForestFixture.open({ fs: disk.processDeath() })
    await expect(opening).rejects.toMatchObject({ code: 'SILT_CORRUPTION', file: path, offset: 80 })
  })

  it('takes a directory without CURRENT for a damaged store, not for an empty place', async () => {
    const disk = new SimulatedDisk(1)
    await storeWithFlushes(disk, 1)
    disk.removeSync(`${DIRECTORY}/CURRENT`)
    await expect(ForestFixture.open({ fs: disk })).rejects.toMatchObject({
      code: 'SILT_CORRUPTION',
      message: expect.stringContaining('repair()'),
    })
  })

  it('notices at open that a table is missing', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await storeWithFlushes(disk, 1)
    const [table] = fixture.files('.sst')
    disk.removeSync(`${DIRECTORY}/${table}`)
    await expect(ForestFixture.open({ fs: disk })).rejects.toMatchObject({
      code: 'SILT_CORRUPTION',
      file: `${DIRECTORY}/${table}`,
    })
  })

  it('says which format it would take to read a newer store', async () => {
    const disk = new SimulatedDisk(1)
    await storeWithFlushes(disk, 1)
    const path = currentPath(disk)
    // The version stands at offset 8; its checksum is made right again, as a newer writer would have it.
    const header = disk.snapshotFiles().get(path)!.slice(0, 80)
    header[8] = 9
    const { hash32 } = await import('../../src/bytes/hash.js')
    const { putU32 } = await import('../../src/bytes/integers.js')
    putU32(header, 76, hash32(header, 0, 76, 0))
    const file = disk.openSync(path, 'update')
    file.writeSync(header, 0, 80, 0)
    await expect(ForestFixture.open({ fs: disk })).rejects.toMatchObject({ code: 'SILT_FORMAT' })
  })

  it('begins a new file when it has grown, with the same content under fewer bytes', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await ForestFixture.open({ fs: disk })
    const first = currentPath(disk)
    const longOptions = { filler: 'x'.repeat(100_000) }
    for (let i = 0; i < 25; i++) {
      fixture.forest.createTree({ id: 3, name: 'changing', options: { ...longOptions, round: i } })
      fixture.segment.put(1, 'key', `value ${i}`)
      await fixture.flush()
    }
    const second = currentPath(disk)
    expect(second).not.toBe(first)
    expect(disk.statusSync(first)).toBeUndefined()
    expect(sizeOf(disk, second)).toBeLessThan(1_600_000)
    const edit = fixture.forest.lastEdit
    await fixture.forest.close()
    await fixture.reopen()
    expect(fixture.forest.lastEdit).toBeGreaterThanOrEqual(edit)
    expect(fixture.forest.trees.get(3)!.options).toMatchObject({ round: 24 })
    expect(fixture.get(1, 'key')).toBe('value 24')
  })

  it('refuses an edit for which there is no space, and takes it once there is', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await storeWithFlushes(disk, 1)
    fixture.segment.put(1, 'key', 'after')
    const recover = disk.failEvery('write', 'ENOSPC', 'MANIFEST')
    let flushed = false
    const flush = fixture.startFlush(() => {
      flushed = true
    })
    expect(() => fixture.forest.waitSync()).toThrow(expect.objectContaining({ code: 'SILT_NO_SPACE' }))
    expect(flushed).toBe(false)
    recover()
    fixture.forest.waitSync()
    expect(flushed).toBe(true)
    await flush
    expect(fixture.fatal).toEqual([])
    await fixture.forest.close()
    await fixture.reopen()
    expect(fixture.get(1, 'key')).toBe('after')
  })

  it('writes nothing more after an fsync failed, and says so once', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await storeWithFlushes(disk, 1)
    fixture.segment.put(1, 'key', 'lost')
    disk.failEvery('sync', 'EIO', 'MANIFEST')
    await expect(fixture.startFlush()).rejects.toMatchObject({ code: 'SILT_FAILED' })
    expect(fixture.fatal).toHaveLength(1)
    expect(() => fixture.forest.leasePositions(2 ** 40)).toThrow(expect.objectContaining({ code: 'SILT_FAILED' }))
    expect(fixture.get(1, 'key 0')).toBe('value 0')
    expect(fixture.fatal).toHaveLength(1)
  })
})
