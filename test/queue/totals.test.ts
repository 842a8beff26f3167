import { expect, it } from 'vitest'
import { fullTotal } from '../../src/queue/message-format.js'
import { offsetKey } from '../../src/queue/message-log.js'
import { decodeMeter, encodeMeter } from '../../src/queue/meter.js'
import { KIND_METER, stateKey } from '../../src/queue/state-keys.js'
import { resolveEncoding } from '../../src/store/encoding.js'
import { internalKeyspace } from '../../src/store/internal-keyspace.js'
import { TestStore } from './stores.js'

/*
 * Places and bytes of a queue that has had any number of messages, put there in its figures: what it does next is what one does that has just
 * begun.
 */

const TWO_48 = 2 ** 48
const view = resolveEncoding<Uint8Array>('view', 'keyEncoding')
const BODY = 'x'.repeat(1000)

it.each([0, 2 ** 32 - 3000, TWO_48 - 3000, TWO_48 + 5, 2 ** 52])(
  'a queue goes on after %d bytes and messages',
  async (far) => {
    const store = await TestStore.open()
    let db = store.db
    await db.queue('q').send(BODY)
    for (const message of await db.queue('q').receive()) await message.ack()
    const state = internalKeyspace(db, 'queues', view, view)
    const key = stateKey(1, KIND_METER)
    const { lanes, tally } = decodeMeter((await state.get(key))!)
    const moved = lanes.map((lane) => ({
      ...lane,
      cursor: lane.cursor + far,
      passedBytes: lane.passedBytes + far,
      next: lane.next + far,
      totalBytes: lane.totalBytes + far,
      low: lane.low + far,
    }))
    await state.put(key, encodeMeter(moved, tally).slice())
    db = await store.reopen()
    const size = { maxBytes: 4500 }
    const q = () => db.queue('q', size)
    for (let i = 0; i < 4; i++) await q().send(`${i}${BODY}`)
    await expect(q().send(BODY)).rejects.toMatchObject({ code: 'SILT_FULL' })
    for (let i = 0; i < 12; i++) {
      if (i % 2 === 0) db = await store.reopen()
      if (i % 3 === 0) await db.flush()
      expect(q().stats().depth).toBe(4)
      const [message] = await q().receive()
      expect(message!.body).toBe(`${i}${BODY}`)
      await message!.ack()
      await q().send(`${i + 4}${BODY}`)
      await expect(q().send(BODY)).rejects.toMatchObject({ code: 'SILT_FULL' })
    }
    await db.close()
  },
)

it('the upper bits of a total are told from one that is near', () => {
  for (const near of [0, 5, TWO_48 - 1, TWO_48, 3 * TWO_48 + 7, 2 ** 52]) {
    for (const distance of [0, 1, -1, 2 ** 40, -(2 ** 40), 2 ** 47 - 1, 1 - 2 ** 47]) {
      const total = near + distance
      if (total >= 0) expect(fullTotal(total % TWO_48, near)).toBe(total)
    }
  }
})

it('a log in which messages are missing is read to its end', async () => {
  const store = await TestStore.open()
  const log = store.db.log('l')
  await log.append('first')
  const tree = internalKeyspace(store.db, 'log/1', view, view)
  const message = await tree.get(offsetKey(0))
  await tree.put(offsetKey(2 ** 40), message!)
  const db = await store.reopen()
  const read: number[] = []
  for await (const { offset } of db.log('l').read({ from: 1 })) read.push(offset)
  for await (const { offset } of db.log('l').read({ from: 2 ** 40 + 1 })) read.push(offset)
  expect(read).toEqual([2 ** 40])
  await internalKeyspace(db, 'log/1', view, view).del(offsetKey(2 ** 40))
  for await (const { offset } of db.log('l').read({ from: 1 })) read.push(offset)
  expect(read).toHaveLength(1)
  await db.close()
})
