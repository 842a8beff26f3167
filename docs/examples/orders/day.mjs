// A day at the shop. Dispatch is away in the morning and payments come in all the same; at noon it comes to work, catches up, and keeps up with
// what is paid meanwhile. The mailer comes in the evening and catches up too: node docs/examples/orders/day.mjs [directory]
//
// Kill it at any moment and run it again on the same directory: whoever paid pays again with the same id, and still gets one parcel.
import { open } from 'siltstone'
import { acceptPayment, dispatchOrder, ordersOf, writeMails } from './shop.mjs'

const MORNING = ['anna-1', 'ben-1', 'anna-2', 'cleo-1', 'ben-2', 'anna-3']
const AFTERNOON = ['cleo-2', 'ben-3', 'anna-4']

const db = await open(process.argv[2] ?? ':memory:')
const orders = ordersOf(db)

function say(what) {
  console.log(`${what.padEnd(40)} ${String(orders.stats().depth).padStart(2)} in the outbox`)
}

async function pay(id) {
  await acceptPayment(db, { id, customer: id.split('-')[0], amount: 10 })
  say(`${id} is paid`)
}

say('the counter opens, dispatch is away')
for (const id of MORNING) await pay(id)
await acceptPayment(db, { id: 'ben-2', customer: 'ben', amount: 10 })
say('ben heard no answer and pays ben-2 again')

say('dispatch comes to work')
let checkDone = () => {}
const worker = orders.consume(
  async (message) => {
    await dispatchOrder(db, message)
    say(`  ${message.body.id} is on its way`)
    checkDone()
  },
  { concurrency: 2 },
)
for (const id of AFTERNOON) await pay(id)
await new Promise((resolve) => {
  checkDone = () => {
    if (orders.stats().depth === 0) resolve()
  }
  checkDone()
})
await worker.stop()
say('everything is out')

const mails = await writeMails(db)
say(`the mailer writes ${mails.length} mails`)
await db.close()
