import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { Forest } from '../../src/tree/forest.js'
import { ALL_KEYS } from '../../src/tree/key-range.js'
import { QUIET_AFTER_MS, SLOW_RUNS, STOP_RUNS } from '../../src/tree/tuning.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { DIRECTORY, expectSoundLevels, ForestFixture } from './forest-fixture.js'

async function fill(fixture: ForestFixture, value: string, tree = 1): Promise<void> {
  for (let i = 0; i < 300; i++) fixture.segment.put(tree, `key ${i}`, value)
  await fixture.flush()
}

function bytesOf(fixture: ForestFixture, tree = 1): number {
  return fixture
    .tree(tree)
    .version.metas()
    .flat()
    .reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Lets everything happen that needs no time to pass. */
async function turns(count = 50): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a forest', () => {
  it('turns segments into tables, in which everything is found again', async () => {
    const fixture = await ForestFixture.open()
    await fill(fixture, 'value')
    fixture.segment.put(2, 'other', 'tree')
    await fixture.flush()
    expect(fixture.get(1, 'key 200')).toBe('value')
    expect(fixture.get(2, 'other')).toBe('tree')
    expect(fixture.get(1, 'other')).toBeUndefined()
    await fixture.close()
    await fixture.reopen()
    expect(fixture.get(1, 'key 299')).toBe('value')
    await fixture.close()
  })

  it('writes no table for what was deleted again before it was flushed', async () => {
    const fixture = await ForestFixture.open()
    for (let i = 0; i < 100; i++) fixture.segment.put(1, `message ${i}`, 'body')
    for (let i = 0; i < 100; i++) fixture.segment.delete(1, `message ${i}`)
    await fixture.flush()
    expect(fixture.files('.sst')).toEqual([])
    expect(fixture.forest.logFrom).toBe(fixture.segment.number)
    await fixture.close()
  })

  it('calls onInstalled in the turn in which the tables become visible', async () => {
    const fixture = await ForestFixture.open()
    fixture.segment.put(1, 'key', 'value')
    fixture.tree(1)
    let seen: string | undefined
    await fixture.startFlush(() => {
      seen = fixture.get(1, 'key')
    })
    expect(seen).toBe('value')
    await fixture.close()
  })

  it('compacts until it is at rest, and takes little more space than its data', async () => {
    const fixture = await ForestFixture.open()
    await fill(fixture, 'first')
    await fixture.forest.idle()
    const dataBytes = bytesOf(fixture)
    for (let round = 0; round < 10; round++) await fill(fixture, `round ${round}`)
    expect(bytesOf(fixture)).toBeGreaterThan(dataBytes)
    await fixture.forest.idle()
    expect(fixture.shape(1)).toEqual([0, 0, 0, 0, 0, 0, 1])
    expectSoundLevels(fixture.tree(1))
    expect(fixture.get(1, 'key 123')).toBe('round 9')
    expect(bytesOf(fixture)).toBeLessThan(dataBytes * 1.15)
    expect(fixture.files('.sst')).toHaveLength(1)
    expect(fixture.forest.stats()).toMatchObject({ totals: { flushes: 11 }, running: [], lastError: undefined })
    await fixture.close()
    expect(fixture.clock.waiting).toBe(0)
  })

  it('does by itself what idle asks for, once nothing was written for a while', async () => {
    const fixture = await ForestFixture.open()
    await fill(fixture, 'value')
    await turns()
    expect(fixture.shape(1)[0]).toBe(1)
    fixture.clock.advance(QUIET_AFTER_MS)
    await turns()
    expect(fixture.shape(1)).toEqual([0, 0, 0, 0, 0, 0, 1])
    await fixture.close()
  })

  it('compacts again when enough has expired, though nothing is written', async () => {
    const fixture = await ForestFixture.open()
    const now = fixture.clock.now()
    for (let i = 0; i < 100; i++) fixture.segment.putExpiring(1, `key ${i}`, 'value', now + 60_000 + i * 1000)
    fixture.segment.put(1, 'stays', 'here')
    await fixture.flush()
    await fixture.forest.idle()
    expect(fixture.tree(1).version.metas().flat()[0]).toMatchObject({ expiringCount: 100 })
    fixture.clock.advance(60_000 + 80_000)
    await turns()
    await fixture.forest.idle()
    expect(fixture.tree(1).version.metas().flat()[0]!.expiringCount).toBeLessThan(50)
    fixture.clock.advance(200_000)
    await turns()
    await fixture.forest.idle()
    expect(fixture.tree(1).version.metas().flat()[0]).toMatchObject({ entryCount: 1 })
    await fixture.close()
  })

  it('keeps the files of a version that somebody reads, and removes them when nobody does', async () => {
    const fixture = await ForestFixture.open()
    await fill(fixture, 'old')
    const version = fixture.tree(1).version.retain()
    const [oldFile] = fixture.files('.sst')
    await fill(fixture, 'new')
    await fixture.forest.idle()
    expect(fixture.files('.sst')).toContain(oldFile)
    const [source] = version.sources(Number.POSITIVE_INFINITY, ALL_KEYS)
    source!.cursor.seekToFirst()
    expect(
      Buffer.from(source!.cursor.valueBytes.subarray(source!.cursor.valueStart, source!.cursor.valueEnd)).toString(),
    ).toBe('old')
    version.release()
    await fixture.forest.idle()
    expect(fixture.files('.sst')).not.toContain(oldFile)
    expect(fixture.files('.sst')).toHaveLength(1)
    await fixture.close()
  })

  it('drops what only a snapshot saw once that is gone', async () => {
    const fixture = await ForestFixture.open()
    await fill(fixture, 'x'.repeat(100))
    fixture.pins.push(fixture.segment.position)
    for (let i = 0; i < 300; i++) fixture.segment.delete(1, `key ${i}`)
    await fixture.flush()
    await fixture.forest.idle()
    expect(fixture.get(1, 'key 7', fixture.pins[0])).toBe('x'.repeat(100))
    expect(fixture.get(1, 'key 7')).toBeUndefined()
    fixture.pins.pop()
    await fixture.forest.idle()
    expect(fixture.files('.sst')).toEqual([])
    await fixture.close()
  })

  it('removes at open what a crash has left behind, and nothing else', async () => {
    const fs = new MemoryFileSystem()
    const fixture = await ForestFixture.open({ fs })
    await fill(fixture, 'value')
    await fixture.close()
    for (const name of ['000900.sst', 'MANIFEST-000901', 'CURRENT.new', 'notes.txt', '12.sst', '000902.log']) {
      fs.openSync(`${DIRECTORY}/${name}`, 'create').closeSync()
    }
    await fixture.reopen()
    await fixture.forest.idle()
    const names = fs.listSync(DIRECTORY)
    expect(names).toEqual(expect.arrayContaining(['notes.txt', '12.sst', '000902.log', 'CURRENT']))
    for (const gone of ['000900.sst', 'MANIFEST-000901', 'CURRENT.new']) expect(names).not.toContain(gone)
    expect(fixture.get(1, 'key 1')).toBe('value')
    // Not even an unused number that somebody has seen is used again.
    expect(fixture.segment.number).toBeGreaterThan(902)
    await fixture.close()
  })

  it('lets a flush pass a compaction that has begun', async () => {
    const fixture = await ForestFixture.open({ options: { blockBytes: 128 } })
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 15_000; i++) fixture.segment.put(1, `key ${i}`, `${round}`)
      await fixture.flush()
    }
    const ended: string[] = []
    const compacted = fixture.forest
      .compactRange(fixture.tree(1), { range: ALL_KEYS, kind: 'major' })
      .then(() => ended.push('compaction'))
    await turns(2)
    fixture.segment.put(1, 'urgent', 'value')
    const flushed = fixture.startFlush(() => ended.push('flush'))
    await Promise.all([compacted, flushed])
    expect(ended).toEqual(['flush', 'compaction'])
    expect(fixture.get(1, 'urgent')).toBe('value')
    expectSoundLevels(fixture.tree(1))
    await fixture.close()
  })

  it('gives up on compacting a damaged table, reads on, and compacts the rest', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await ForestFixture.open({ fs: disk, options: { compression: 'none' } })
    await fill(fixture, 'value')
    await fill(fixture, 'value', 2)
    const [damaged] = fixture.tree(1).version.metas()[0]!
    const path = `${DIRECTORY}/${String(damaged!.number).padStart(6, '0')}.sst`
    disk.corrupt(path, 10, 0xff)
    const compacting = fixture.forest.compactRange(fixture.tree(1), { range: ALL_KEYS, kind: 'major' })
    await expect(compacting).rejects.toMatchObject({ code: 'SILT_CORRUPTION', file: path, offset: 0 })
    await fixture.forest.idle()
    expect(fixture.forest.stats().lastError).toMatchObject({ code: 'SILT_CORRUPTION', file: path })
    expect(fixture.tree(1).version.metas().flat()).toHaveLength(1)
    expect(fixture.shape(2)).toEqual([0, 0, 0, 0, 0, 0, 1])
    expect(fixture.get(1, 'key 99')).toBe('value')
    await fixture.forest.close()
  })

  it('tries a compaction again after a pause when there was no space, and leaves nothing of the attempt', async () => {
    const disk = new SimulatedDisk(1)
    const fixture = await ForestFixture.open({ fs: disk })
    for (let round = 0; round < 3; round++) await fill(fixture, `round ${round}`)
    const before = fixture.files('.sst')
    const recover = disk.failEvery('write', 'ENOSPC', '.sst')
    await expect(fixture.forest.idle()).rejects.toMatchObject({ code: 'SILT_NO_SPACE' })
    expect(fixture.files('.sst')).toEqual(before)
    recover()
    fixture.clock.advance(60_000)
    await turns()
    expect(fixture.shape(1)).toEqual([0, 0, 0, 0, 0, 0, 1])
    expect(fixture.get(1, 'key 1')).toBe('round 2')
    await fixture.close()
  })

  it('slows writers down as runs pile up', async () => {
    const fixture = await ForestFixture.open()
    expect(fixture.forest.pressure().debt).toBe(0)
    const debts: number[] = []
    // The event loop never turns here, so nothing is compacted.
    for (let round = 0; round < STOP_RUNS; round++) {
      fixture.segment.put(1, `key ${round}`, 'value')
      void fixture.startFlush()
      fixture.forest.waitSync()
      debts.push(fixture.forest.pressure().debt)
    }
    expect(debts).toEqual([...debts].sort((a, b) => a - b))
    expect(debts[SLOW_RUNS - 2]).toBeLessThan(1)
    expect(debts[SLOW_RUNS - 1]).toBe(1)
    expect(debts[STOP_RUNS - 2]).toBeLessThan(2)
    expect(fixture.forest.pressure()).toMatchObject({ debt: 2, reason: expect.stringContaining('level 0') })
    await fixture.forest.idle()
    expect(fixture.forest.pressure().debt).toBe(0)
    await fixture.close()
  })
})

describe('a forest opened to read', () => {
  it('reads beside a writer that goes on, and writes nothing', async () => {
    const disk = new SimulatedDisk(1)
    const writer = await ForestFixture.open({ fs: disk })
    await fill(writer, 'before')
    const reader = await Forest.openReadOnly(writer.environment())
    const calls = disk.callCountOf('write') + disk.callCountOf('open') + disk.callCountOf('remove')
    expect(calls).toBeGreaterThan(0)
    await fill(writer, 'after')
    await writer.forest.idle()
    writer.tree(1)
    const writes = disk.callCountOf('write')
    const looking = new ReaderView(reader)
    expect(looking.get('key 7')).toBe('before')
    await reader.close()
    const later = await Forest.openReadOnly(writer.environment())
    expect(new ReaderView(later).get('key 7')).toBe('after')
    await later.close()
    expect(disk.callCountOf('write')).toBe(writes)
    await writer.close()
  })
})

class ReaderView {
  private readonly forest: Forest

  constructor(forest: Forest) {
    this.forest = forest
  }

  get(key: string): string | undefined {
    const range = { start: Buffer.from(key), end: Buffer.from(`${key}\0`) }
    for (const { cursor } of this.forest.trees.get(1)!.version.sources(Number.POSITIVE_INFINITY, range)) {
      cursor.seek(range.start, 0, range.start.length)
      if (cursor.valid) return Buffer.from(cursor.valueBytes.subarray(cursor.valueStart, cursor.valueEnd)).toString()
    }
    return undefined
  }
}
