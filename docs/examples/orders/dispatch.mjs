// Dispatch: a process that sends out what was paid until nothing is left. Each line on its standard output is a parcel that is gone.
// Arguments: the directory of the store, and one handling in so many that fails.
import { writeSync } from 'node:fs'
import { open } from 'siltstone'
import { dispatchOrder, ordersOf } from './shop.mjs'

const [directory, failEvery] = process.argv.slice(2)
const db = await open(directory)
const orders = ordersOf(db)
let done
const isEmpty = new Promise((resolve) => {
  done = resolve
})
const check = () => {
  if (orders.stats().depth === 0) done()
}
const worker = orders.consume(
  async (message) => {
    if (Math.random() < 1 / Number(failEvery)) throw new Error('the van has broken down')
    // The way to the van takes a moment, and a process may die on it.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4))
    await dispatchOrder(db, message)
    writeSync(1, `${message.body.id}\n`)
    check()
  },
  { concurrency: 8 },
)
check()
await isEmpty
await worker.stop()
await db.close()
