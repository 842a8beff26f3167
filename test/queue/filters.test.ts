import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { openSharded } from '../../src/shard.js'
import { withSeeds } from '../simulation/reproduce.js'
import { settled, TestStore } from './stores.js'

const isEven = ({ body }: { body: number }): boolean => body % 2 === 0

describe('a subscription with a filter', () => {
  it('has done with all when its loop over lag() has seen the last message that it wants', async () => {
    await withSeeds(25, async (random) => {
      await using store = await TestStore.open({ writeBufferBytes: 64 * 1024 })
      const topic = store.db.topic<number>('t')
      const wanted: number[] = []
      const publish = async (): Promise<void> => {
        const body = random.chance(0.3) ? random.below(1000) * 2 : random.below(1000) * 2 + 1
        await topic.publish(body, random.chance(0.5) ? { key: random.pick(['a', 'b']) } : {})
        if (body % 2 === 0) wanted.push(body)
      }
      const sub = topic.subscribe('s', { from: 'earliest', filter: isEven })
      for (let i = random.below(60); i > 0; i--) await publish()
      if (random.chance(0.5)) await store.db.flush()
      const seen: number[] = []
      while (sub.lag() > 0) {
        for await (const message of sub) {
          seen.push(message.body)
          // Others publish while it is handled.
          if (random.chance(0.3)) await publish()
          await message.ack()
          if (random.chance(0.1)) await publish()
          if (sub.lag() === 0) break
        }
      }
      expect(seen.toSorted()).toEqual(wanted.toSorted())
      await sub.close()
    })
  })

  it('passes over what it does not want though nobody receives, and keeps to it over a reopening', async () => {
    await using store = await TestStore.open()
    const topic = store.db.topic<number>('t')
    const sub = topic.subscribe('s', { from: 'earliest', filter: isEven })
    const figures = (): number => store.db.topic('t').subscribe('s').lag()
    for (let i = 0; i < 3000; i++) await topic.publish(1)
    await settled()
    // Another handle, without a filter, sees what is left.
    expect(figures()).toBe(0)
    await topic.publish(2)
    await topic.publish(1)
    await settled()
    expect(sub.lag()).toBe(2)
    await store.reopen()
    expect(figures()).toBe(2)
  })

  it('passes over nothing that another open reader of it may want', async () => {
    await using store = await TestStore.open()
    const topic = store.db.topic<number>('t')
    topic.subscribe('s', { from: 'earliest', filter: isEven })
    const all = topic.subscribe('s')
    await topic.publish(1)
    await settled()
    expect(all.lag()).toBe(1)
    expect(await all.receive()).toMatchObject([{ body: 1 }])
  })

  it('asks its filter once for each delivery', async () => {
    await using store = await TestStore.open()
    const topic = store.db.topic<number>('t')
    const asked: number[] = []
    const sub = topic.subscribe('s', {
      from: 'earliest',
      filter: ({ body }) => {
        asked.push(body)
        return true
      },
    })
    for (const body of [1, 2, 3]) await topic.publish(body)
    const [first, ...others] = await sub.receive({ max: 3 })
    for (const message of others) await message.ack()
    await first!.nack({ delay: 0 })
    const [again] = await sub.receive()
    await again!.ack()
    expect(asked).toEqual([1, 2, 3, 1])
  })

  it('is asked again before a message is tried again, and may have no use for it by then', async () => {
    await using store = await TestStore.open()
    const topic = store.db.topic<number>('t')
    let isWanted = true
    const sub = topic.subscribe('s', { from: 'earliest', filter: () => isWanted })
    await topic.publish(1)
    const [message] = await sub.receive()
    await message!.nack({ delay: 0 })
    isWanted = false
    expect(await sub.receive()).toEqual([])
    await settled()
    expect(sub.lag()).toBe(0)
  })

  it('over shards ends its loop over lag() as well', async () => {
    const store = await openSharded('/store', { shards: ['a', 'b'], fs: new MemoryFileSystem(), executor: 'inline' })
    const topic = store.topic<number>('t')
    const sub = topic.subscribe('s', { from: 'earliest', filter: isEven })
    for (let i = 0; i < 40; i++) await topic.publish(i < 20 ? i : 1, { key: `k${i}` })
    const seen: number[] = []
    for await (const message of sub) {
      seen.push(message.body)
      await message.ack()
      if (sub.lag() === 0) break
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18])
    await store.close()
  })
})
