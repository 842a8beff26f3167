import { describe, expect, it } from 'vitest'
import { indexed, MemoryFileSystem, open, replicate } from '../../../src/index.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { meanwhile } from '../../simulation/meanwhile.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { writeSomething } from '../changes/write-something.js'
import { digestOf } from './digest.js'

const EVERYTHING = { bytes: Number.POSITIVE_INFINITY }

/** Two stores on one file system. */
function twoPlaces(fs = new MemoryFileSystem()) {
  const options = { fs, executor: 'inline', writeBufferBytes: 64 * 1024 } as const
  return {
    source: () => open('/source', { ...options, logRetention: EVERYTHING }),
    replica: () => open('/replica', options),
  }
}

describe('replicate', () => {
  it('makes an empty store the same, and keeps it so while the source is written to', async () => {
    const places = twoPlaces()
    await using source = await places.source()
    await using replica = await places.replica()
    const people = await indexed(source.keyspace<string, string>('people'), {
      byLength: (name: string) => [[name.length]],
    })
    await people.put('1', 'ada')
    await source.batch().put('a', '1', { ttl: 60_000 }).put('b', '2').clearRange({ prefix: 'a' }).write()
    const positions: number[] = []
    const controller = new AbortController()
    const { signal } = controller
    const replicating = replicate(source, replica, { signal, onProgress: ({ position }) => positions.push(position) })
    await people.put('2', 'grace')
    await source.put('c', '3', { ttl: 60_000 })
    await source.del('b')
    while (positions.at(-1) !== source.stats().log.position) await new Promise(setImmediate)
    controller.abort('enough')
    await expect(replicating).rejects.toBe('enough')
    expect(digestOf(replica)).toBe(digestOf(source))
    const copied = await indexed(replica.keyspace<string, string>('people'), {
      byLength: (name: string) => [[name.length]],
    })
    expect(
      await copied
        .index('byLength')
        .keys({ gte: [4] })
        .toArray(),
    ).toEqual(['2'])
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
  })

  it('goes on from a checkpoint, with the log from there on alone', async () => {
    const places = twoPlaces()
    await using source = await places.source()
    for (let i = 0; i < 500; i++) await source.put(`key ${i}`, 'x'.repeat(200))
    await source.keyspace('other').put('a', '1')
    const { position } = await source.checkpoint('/replica')
    await source.clear({ prefix: 'key 1' })
    await source.put('after', '1')
    await using replica = await places.replica()
    expect(replica.engine.forest.origin).toMatchObject({ position })
    const progress = await replicate(source, replica, { follow: false })
    expect(progress).toEqual({ position: source.stats().log.position, behindBytes: 0 })
    expect(digestOf(replica)).toBe(digestOf(source))
  })

  it('remembers its origin through sessions and manifests', async () => {
    const places = twoPlaces()
    await using source = await places.source()
    await source.put('a', '1')
    await source.checkpoint('/replica')
    for (let i = 0; i < 3; i++) {
      const replica = await places.replica()
      await replica.compact()
      await replica.close()
    }
    await source.put('b', '2')
    await using replica = await places.replica()
    await replicate(source, replica, { follow: false })
    expect(digestOf(replica)).toBe(digestOf(source))
  })

  it('goes on where it was, and repeats nothing', async () => {
    const places = twoPlaces()
    let source = await places.source()
    let replica = await places.replica()
    for (let round = 0; round < 4; round++) {
      await source.put(`key ${round}`, 'x')
      await replicate(source, replica, { follow: false })
      await replica.close()
      await source.close()
      replica = await places.replica()
      source = await places.source()
      const before = replica.stats().log.position
      await replicate(source, replica, { follow: false })
      expect(replica.stats().log.position).toBe(before)
      expect(digestOf(replica)).toBe(digestOf(source))
    }
    await replica.close()
    await source.close()
  })

  it('keeps what is queued', async () => {
    const places = twoPlaces()
    await using source = await places.source()
    const jobs = source.queue<number>('jobs')
    for (let i = 0; i < 5; i++) await jobs.send(i)
    for (const message of await jobs.receive({ max: 2 })) await message.ack()
    await using replica = await places.replica()
    await replicate(source, replica, { follow: false })
    const left = await replica.queue<number>('jobs').receive({ max: 10 })
    expect(left.map(({ body }) => body)).toEqual([2, 3, 4])
  })

  it('gives a replica of a replica, which can go over to the first source', async () => {
    const fs = new MemoryFileSystem()
    const places = twoPlaces(fs)
    await using source = await places.source()
    await using middle = await open('/middle', { fs, executor: 'inline', logRetention: EVERYTHING })
    await using replica = await places.replica()
    await source.put('a', '1')
    await replicate(source, middle, { follow: false })
    await replicate(middle, replica, { follow: false })
    await source.put('b', '2')
    await replicate(source, replica, { follow: false })
    expect(digestOf(replica)).toBe(digestOf(source))
  })

  it('refuses a store that is no copy of the source, itself, and one that cannot be written', async () => {
    const places = twoPlaces()
    const source = await places.source()
    await source.put('a', '1')
    const replica = await places.replica()
    await replica.put('own', '1')
    const refused = { code: 'SILT_INVALID_ARGUMENT' }
    await expect(replicate(source, replica)).rejects.toMatchObject(refused)
    await expect(replicate(source, source)).rejects.toMatchObject(refused)
    await expect(replicate(source, replica, { onProgress: 1 as never })).rejects.toMatchObject(refused)
    await replica.close()
    await using reader = await open('/replica', { fs: replica.engine.fs, readOnly: true })
    await expect(replicate(source, reader)).rejects.toMatchObject({ code: 'SILT_READ_ONLY' })
    await source.close()
  })

  it('says so where the source has not kept what comes next', async () => {
    const fs = new MemoryFileSystem()
    await using source = await open('/source', { fs, executor: 'inline' })
    await source.put('a', '1')
    await source.flush()
    await using replica = await open('/replica', { fs, executor: 'inline' })
    await expect(replicate(source, replica)).rejects.toMatchObject({ code: 'SILT_GONE' })
  })

  it('shows nobody a part of a commit, and only states that the source was in', async () => {
    const places = twoPlaces()
    await using source = await places.source()
    await using replica = await places.replica()
    const pairs = source.keyspace('pairs')
    const controller = new AbortController()
    const replicating = replicate(source, replica, { signal: controller.signal }).catch((reason) => reason)
    const write = async (): Promise<void> => {
      for (let i = 1; i <= 300; i++) {
        await source
          .batch()
          .clearRange({ prefix: 'n' })
          .put(`n${i}`, 'x')
          .put('n', String(i), { keyspace: pairs })
          .write()
      }
    }
    const writing = write()
    let seen = 0
    while (seen < 300) {
      using snapshot = replica.snapshot()
      const keys = await snapshot.keys().toArray()
      const n = await snapshot.keyspace(replica.keyspace('pairs')).get('n')
      if (n !== undefined) expect(keys).toEqual([`n${n}`])
      expect(Number(n ?? 0)).toBeGreaterThanOrEqual(seen)
      seen = Number(n ?? 0)
      await new Promise(setImmediate)
    }
    await writing
    controller.abort('enough')
    expect(await replicating).toBe('enough')
  })
})

describe('a replica after crashes', () => {
  it('is the same as its source again, whichever of the two loses its power or its process', () =>
    withSeeds(8, async (random, seed) => {
      const clock = new ManualClock()
      const common = { clock, executor: 'inline', writeBufferBytes: 64 * 1024 } as const
      let sourceDisk = new SimulatedDisk(seed)
      let replicaDisk = new SimulatedDisk(seed + 1000)
      for (let session = 0; session < 6; session++) {
        const [sourceFs, replicaFs] = [sourceDisk, replicaDisk]
        if (session < 5) random.pick([sourceFs, replicaFs]).crashAtCall(random.between(20, 600))
        const isOver = (): boolean => sourceFs.crashed || replicaFs.crashed
        const live = async (): Promise<void> => {
          const source = await open('/source', { ...common, fs: sourceFs, logRetention: EVERYTHING })
          const replica = await open('/replica', { ...common, fs: replicaFs })
          const copying = session === 5 ? undefined : replicate(source, replica)
          copying?.catch(() => {})
          const write = async (): Promise<void> => {
            // Without `sync` the source could lose what the replica has, see below.
            for (let i = 0; i < 40; i++) await writeSomething(source, random, { sync: true })
          }
          await Promise.all([write(), write()])
          if (session < 5) {
            await source.close()
            await copying?.catch((error) => expect(error.code).toBe('SILT_NOT_OPEN'))
          } else {
            await replicate(source, replica, { follow: false })
            expect(digestOf(replica)).toBe(digestOf(source))
            clock.advance(1000)
            expect(digestOf(replica)).toBe(digestOf(source))
            await source.close()
          }
          await replica.close()
        }
        try {
          await meanwhile(clock, live(), isOver)
        } catch (error) {
          if (!isOver()) throw error
        }
        if (session < 5) {
          const powerFails = random.chance(0.5)
          sourceDisk = powerFails ? sourceFs.crash() : sourceFs.processDeath()
          replicaDisk = powerFails ? replicaFs.crash() : replicaFs.processDeath()
        }
      }
    }))

  it('is told when its source has lost what it has, and begins anew with a checkpoint', async () => {
    const disk = new SimulatedDisk(1)
    await using replica = await open(':memory:', { executor: 'inline' })
    const options = { executor: 'inline', logRetention: EVERYTHING } as const
    const source = await open('/source', { ...options, fs: disk })
    await source.put('kept', '1', { sync: true })
    for (let i = 0; i < 50; i++) await source.put(`lost ${i}`, '1')
    await replicate(source, replica, { follow: false })
    await using recovered = await open('/source', { ...options, fs: disk.crash({ survival: 0 }) })
    expect(await recovered.has('lost 49')).toBe(false)
    await recovered.put('later', '1')
    await expect(replicate(recovered, replica)).rejects.toMatchObject({ code: 'SILT_GONE' })
    await recovered.checkpoint('/again')
    await using again = await open('/again', { ...options, fs: recovered.engine.fs })
    await replicate(recovered, again, { follow: false })
    expect(digestOf(again)).toBe(digestOf(recovered))
  })
})
