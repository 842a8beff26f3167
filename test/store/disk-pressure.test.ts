import { describe, expect, it } from 'vitest'
import { SiltstoneError } from '../../src/index.js'
import { newPast, Scribe } from '../simulation/scribe.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

/** A store with something in tables and in the log, and a scribe that notes the codes of refusals. */
async function store(): Promise<{ disk: SimulatedDisk; scribe: Scribe; codes: Set<string> }> {
  const disk = new SimulatedDisk(1)
  const scribe = new Scribe(disk, newPast())
  const codes = new Set<string>()
  scribe.onRefusal = (error) => {
    if (!(error instanceof SiltstoneError)) throw error
    codes.add(error.code)
  }
  await scribe.open()
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) await scribe.put(`k${i}`, scribe.value(500))
    await scribe.flush()
  }
  await scribe.put('in the log', scribe.value())
  return { disk, scribe, codes }
}

function usedBytes(disk: SimulatedDisk): number {
  return [...disk.snapshotFiles().values()].reduce((sum, bytes) => sum + bytes.length, 0)
}

/** Everything that a store does, without opening it again. */
async function doEverything(scribe: Scribe): Promise<void> {
  await scribe.put('a', scribe.value(), { sync: true })
  await Promise.all(['b', 'c', 'd'].map((key) => scribe.put(key, scribe.value(3000))))
  await scribe.flush()
  await scribe.compact('major')
  await scribe.idle()
}

describe('a disk that is full', () => {
  it.each([0, 50, 400, 4000, 40_000])(
    'but for %d bytes refuses with SILT_NO_SPACE, and the store works on as soon as there is space',
    async (left) => {
      const { disk, scribe, codes } = await store()
      disk.quotaBytes = usedBytes(disk) + left
      for (let i = 0; i < 60; i++) await scribe.put(`k${i}`, scribe.value(1000), { sync: i % 10 === 0 })
      await scribe.flush()
      await scribe.compact('major')
      expect([...codes]).toEqual(['SILT_NO_SPACE'])
      await scribe.check(scribe.history.length)

      disk.quotaBytes = Number.POSITIVE_INFINITY
      codes.clear()
      await doEverything(scribe)
      expect([...codes]).toEqual([])
      await scribe.check(scribe.history.length)
      await scribe.close()
      await scribe.open()
      await scribe.check(scribe.history.length)
      await scribe.close()
      expect([...codes]).toEqual([])
    },
  )

  it('does not keep a store from closing, nor what it has accepted from being there afterwards', async () => {
    const { disk, scribe } = await store()
    disk.quotaBytes = usedBytes(disk)
    await scribe.flush()
    await scribe.close()
    disk.quotaBytes = Number.POSITIVE_INFINITY
    await scribe.open()
    await scribe.check(scribe.history.length)
    await scribe.close()
  })
})

describe('a process without descriptors', () => {
  it('is told so, and the store works on when there are some', async () => {
    const { disk, scribe, codes } = await store()
    disk.descriptorLimit = disk.openHandles
    await scribe.put('kept', scribe.value(), { sync: true })
    expect([...codes], 'what needs no new file goes on').toEqual([])
    await scribe.flush()
    await scribe.compact('major')
    expect([...codes]).toEqual(['SILT_IO'])

    disk.descriptorLimit = Number.POSITIVE_INFINITY
    codes.clear()
    await doEverything(scribe)
    expect([...codes]).toEqual([])
    await scribe.check(scribe.history.length)
    await scribe.close()
  })
})

describe('a drive that lies about syncs', () => {
  /** Nothing can be promised then. But what is shown after a loss of power was written, and what is missing is said to be. */
  it('may lose what was promised, but shows a state that once was, or none', async () => {
    let refused = 0
    let shortened = 0
    for (let seed = 1; seed <= 60; seed++) {
      const disk = new SimulatedDisk(seed)
      const past = newPast()
      const scribe = new Scribe(disk, past)
      await scribe.open()
      await scribe.put('honest', scribe.value(), { sync: true })
      disk.lyingSync = true
      for (let i = 0; i < 8; i++) await scribe.put(`k${i % 5}`, scribe.value(200), { sync: i % 3 === 0 })
      if (seed % 3 === 0) await scribe.flush()
      for (let i = 0; i < 8; i++) await scribe.put(`k${i % 5}`, scribe.value(200), { sync: i % 3 === 0 })
      // Numbers may be used twice then: what promised not to was lost as well.
      const next = new Scribe(disk.crash(), { ...newPast(), history: past.history }, scribe.clock.now())
      try {
        await next.open()
        const count = await next.check(0)
        if (count < past.history.length) shortened++
        past.history.cutTo(count)
        await next.close()
      } catch (error) {
        if (!(error instanceof SiltstoneError)) throw error
        expect(error.code, error.message).toBe('SILT_CORRUPTION')
        refused++
      }
    }
    expect(refused).toBeGreaterThan(0)
    expect(shortened).toBeGreaterThan(0)
  })
})

describe('a lock that cannot be given back', () => {
  it('makes close say so, with everything else done', async () => {
    const { disk, scribe, codes } = await store()
    disk.failEvery('unlock', 'EIO')
    await scribe.close()
    expect([...codes]).toEqual(['SILT_IO'])
    const next = new Scribe(disk.processDeath(), scribe.past, scribe.clock.now())
    await next.open({ recovery: 'strict' })
    expect(next.db.recovery.losses).toEqual([])
    await next.check(next.history.length)
    await next.close()
  })
})

describe('files that cannot be closed', () => {
  /** An error of close() ended the announcement of a flush half-way: its promise was never settled, and nobody could catch the error. */
  it('stop nothing: what counts was synced before', async () => {
    const { disk, scribe, codes } = await store()
    const heal = disk.failEvery('close', 'EIO')
    await doEverything(scribe)
    await scribe.close()
    heal()
    expect([...codes]).toEqual([])
    await scribe.open()
    await scribe.check(scribe.history.length)
    await scribe.close()
  })
})
