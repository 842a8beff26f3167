import { describe, expect, it } from 'vitest'
import {
  acceptPayment,
  complaints,
  dispatchedParcels,
  dispatchOrder,
  ordersOf,
  type Payment,
} from '../../docs/examples/orders/shop.mjs'
import { tell } from '../../docs/examples/orders/story.mjs'
import { type Database, open } from '../../src/queue/messaging-database.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { settled } from './stores.js'

/** `npm run test:kill -- --rounds N`: so many processes are killed. */
const KILLS = Number(process.env['SILTSTONE_KILL_ROUNDS'] ?? 4)
const CUSTOMERS = ['anna', 'ben', 'cleo']

/** The story of docs/examples/orders on a disk that stops in the middle of things. */
class Shop {
  readonly paid: Payment[] = []
  private readonly random: SeededRandom
  private readonly numbers = new Map<string, number>()
  private disk: SimulatedDisk
  private clock = new ManualClock()
  private db!: Database

  constructor(random: SeededRandom) {
    this.random = random
    this.disk = new SimulatedDisk(random.uint32())
  }

  private async open(): Promise<void> {
    this.clock = new ManualClock(this.clock.now() + 1)
    const { disk: fs, clock } = this
    this.db = await open('/shop', { fs, clock, executor: 'inline', writeBufferBytes: 64 * 1024 })
  }

  /** Opens, does something, and dies within so many calls of the file system, by a kill or a loss of power. */
  private async until(calls: number, act: () => Promise<void>): Promise<void> {
    this.disk.crashAtCall(this.disk.callCount + calls)
    try {
      await this.open()
      await act()
    } catch (error) {
      if (!this.disk.crashed) throw error
    }
    this.disk = this.random.chance(0.5) ? this.disk.crash() : this.disk.processDeath()
  }

  /** Customers pay, and pay the same again when nobody told them that it was taken. */
  async takePayments(count: number): Promise<void> {
    const { random, numbers, paid } = this
    while (paid.length < count) {
      const customer = random.pick(CUSTOMERS)
      const number = (numbers.get(customer) ?? 0) + 1
      numbers.set(customer, number)
      const payment = { id: `${customer}-${number}`, customer, amount: random.between(1, 100) }
      for (let isTaken = false; !isTaken; ) {
        const pay = async (): Promise<void> => {
          await acceptPayment(this.db, payment)
          isTaken = true
        }
        if (random.chance(0.7)) await this.until(random.between(1, 60), pay)
        else await this.until(Number.POSITIVE_INFINITY, pay)
      }
      paid.push(payment)
    }
  }

  /** Dispatch begins, and dies; the last one is left alone. */
  async dispatch(deaths: number): Promise<void> {
    const { random } = this
    for (let i = 0; i < deaths; i++) {
      await this.until(random.between(5, 80), () => this.work(random.chance(0.3)))
    }
    await this.open()
    await this.work(false)
    await this.db.close()
  }

  /** Until nothing is left. */
  private async work(sync: boolean): Promise<void> {
    const { db, random, clock } = this
    const orders = ordersOf(db)
    while (orders.stats().depth > 0) {
      for (const message of await orders.receive({ max: random.between(1, 4) })) {
        if (random.chance(0.1)) await message.nack({ reason: 'the van has broken down' })
        else if (random.chance(0.9)) await dispatchOrder(db, message, sync)
      }
      clock.advance(random.pick([1, 50, 300, 31_000]))
      await settled(1)
    }
  }

  async audit(): Promise<void> {
    await this.open()
    const parcels = await dispatchedParcels(this.db)
    expect(complaints(this.paid, parcels)).toEqual([])
    expect(parcels).toHaveLength(this.paid.length)
    expect(ordersOf(this.db).stats()).toMatchObject({ depth: 0, sent: this.paid.length, acked: this.paid.length })
    for (const { id } of this.paid) expect(await this.db.get(`parcel:${id}`)).toBeDefined()
    await this.db.close()
  }
}

describe('payments and dispatch', () => {
  it('survive any crash: each payment is dispatched once in effect, in order per customer', () =>
    withSeeds(25, async (random) => {
      const shop = new Shop(random)
      await shop.takePayments(random.between(8, 20))
      await shop.dispatch(random.between(1, 6))
      await shop.audit()
    }))

  it('survive processes that are killed, with payments taken while dispatch is down', { timeout: 0 }, async () => {
    for (let left = KILLS; left > 0; left -= 50) {
      const story = await tell(60 + Math.min(left, 50) * 15, Math.min(left, 50))
      expect(story).toMatchObject({ wrong: [], depth: 0, parcels: story.payments, sent: story.payments })
      expect(story.dispatchDeaths).toBeGreaterThan(0)
      if (KILLS > 4) console.log(story)
    }
  })

  it('would be seen to go wrong', () => {
    const parcel = (id: string, number: number) => ({ id, customer: 'a', number })
    const paid = ['a-1', 'a-2', 'a-3'].map((id) => ({ id, customer: 'a', amount: 1 }))
    expect(complaints(paid, [parcel('a-2', 1), parcel('a-1', 2), parcel('a-2', 3)])).toEqual([
      'payment a-1 was dispatched behind number 2 of a',
      'payment a-2 was dispatched twice',
      'payment a-3 was never dispatched',
    ])
  })
})
