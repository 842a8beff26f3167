import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import { publish } from '../../../src/bytes/diagnostics.js'
import { type DiagnosticMessages, open } from '../../../src/index.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'

const listening: (() => void)[] = []

afterEach(() => {
  for (const stop of listening.splice(0)) stop()
})

function hear<Name extends keyof DiagnosticMessages>(name: Name): DiagnosticMessages[Name][] {
  const heard: DiagnosticMessages[Name][] = []
  const onMessage = (message: unknown) => heard.push(message as DiagnosticMessages[Name])
  subscribe(name, onMessage)
  listening.push(() => unsubscribe(name, onMessage))
  return heard
}

describe('the channels of diagnostics', () => {
  it('tell of openings, flushes and compactions', async () => {
    const recoveries = hear('siltstone:recovery')
    const flushes = hear('siltstone:flush')
    const compactions = hear('siltstone:compaction')
    const disk = new SimulatedDisk(1)
    const db = await open('/store', { fs: disk, executor: 'inline' })
    for (let round = 0; round < 2; round++) {
      await db.put('a', String(round))
      await db.flush()
    }
    await db.compact()
    await db.put('b', '1')
    await db.close()
    await (await open('/store', { fs: disk, executor: 'inline' })).close()
    expect(recoveries).toMatchObject([
      { directory: '/store', commits: 0, losses: [] },
      { directory: '/store', commits: 1, losses: [] },
    ])
    expect(flushes).toHaveLength(2)
    expect(flushes[0]).toMatchObject({
      directory: '/store',
      entriesWritten: 1,
      what: expect.stringContaining('segment'),
    })
    expect(compactions).toMatchObject([{ entriesRead: 2, entriesWritten: 1 }])
  })

  it('tell of stalls with their reason', async () => {
    const stalls = hear('siltstone:stall')
    const db = await open(':memory:')
    db.engine.admission.countStop('flush is behind', 12)
    await db.close()
    expect(stalls).toEqual([{ directory: '/memory', reason: 'flush is behind', ms: 12 }])
  })

  it('tell of what fails where nobody waits for it', async () => {
    const errors = hear('siltstone:error')
    const disk = new SimulatedDisk(1)
    const db = await open('/store', { fs: disk, executor: 'inline' })
    await db.put('a', '1')
    const mend = disk.failEvery('open', 'EIO', '.sst')
    await db.flush().catch(() => {})
    mend()
    expect(errors).toMatchObject([{ directory: '/store', during: 'flush of segment 2', error: { code: 'SILT_IO' } }])
    disk.failEvery('sync', 'EIO', '.log')
    await expect(db.put('b', '1', { sync: true })).rejects.toMatchObject({ code: 'SILT_FAILED' })
    expect(errors[1]).toMatchObject({ error: { code: 'SILT_FAILED' } })
    await db.close().catch(() => {})
  })

  it('put nothing together while nobody listens', () => {
    publish('siltstone:stall', () => {
      throw new Error('nobody asked')
    })
  })
})
