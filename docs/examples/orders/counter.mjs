// The counter: a process that takes payments while dispatch is down. Each line on its standard output is a payment that is on disk.
// Arguments: the directory of the store, and JSON of the payments.
import { writeSync } from 'node:fs'
import { open } from 'siltstone'
import { acceptPayment } from './shop.mjs'

const [directory, payments] = process.argv.slice(2)
const db = await open(directory)
// Issued together they share a commit and a sync; the payments of one customer are issued in their order.
await Promise.all(
  JSON.parse(payments).map((payment) => acceptPayment(db, payment).then(() => writeSync(1, `${payment.id}\n`))),
)
await db.close()
