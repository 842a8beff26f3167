import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { complaints, dispatchedParcels, ordersOf, type Payment, writeMails } from '../../docs/examples/orders/shop.mjs'
import { open } from '../../src/queue/messaging-database.js'
import { inDirectory, run } from './programs.js'

const PAID: Payment[] = ['anna-1', 'ben-1', 'anna-2', 'cleo-1', 'ben-2', 'anna-3', 'cleo-2', 'ben-3', 'anna-4'].map(
  (id) => ({ id, customer: id.split('-')[0]!, amount: 10 }),
)

/** Everything went out once and in order, nothing is left, and the mailer has told everybody. */
async function audit(directory: string): Promise<void> {
  const db = await open(join(directory, 'shop'))
  const parcels = await dispatchedParcels(db)
  expect(complaints(PAID, parcels)).toEqual([])
  expect(parcels).toHaveLength(PAID.length)
  expect(ordersOf(db).stats()).toMatchObject({ depth: 0, sent: PAID.length, acked: PAID.length })
  expect(await writeMails(db)).toEqual([])
  expect(await db.get('mail:anna-4')).toBe('Dear anna, your parcel number 4 is on its way.')
  expect(await db.count({ prefix: 'mail:' })).toBe(PAID.length)
  await db.close()
}

describe('a day at the shop', () => {
  it('lets orders wait for dispatch, and events for the mailer, until they come', () =>
    inDirectory(async (directory) => {
      const { status, lines, errors } = await run('orders/day.mjs', ['./shop'], directory)
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      expect(lines.slice(6, 9).map((line) => line.replace(/ +/g, ' '))).toEqual([
        'anna-3 is paid 6 in the outbox',
        'ben heard no answer and pays ben-2 again 6 in the outbox',
        'dispatch comes to work 6 in the outbox',
      ])
      expect(lines.at(-1)).toMatch(/^the mailer writes 9 mails +0 in the outbox$/)
      await audit(directory)
    }))

  it.each([5, 15])('comes to the same end when it is killed at line %i and begins again', (line) =>
    inDirectory(async (directory) => {
      const killed = await run('orders/day.mjs', ['./shop'], directory, (_, lines) =>
        lines.length === line ? 'kill' : undefined,
      )
      expect(killed.lines.length).toBeGreaterThanOrEqual(line)
      expect((await run('orders/day.mjs', ['./shop'], directory)).status).toBe(0)
      await audit(directory)
    }),
  )
})
