// A source that is written to until it is killed, with all of its log kept. Says a line on stdout for every commit that it has made.
// Arguments: directory, number of this life.
import { open } from '../../../dist/src/index.js'

const [directory, life] = process.argv.slice(2)
const db = await open(directory, { writeBufferBytes: 64 * 1024, logRetention: { bytes: Number.POSITIVE_INFINITY } })
const orders = db.keyspace('orders')
const any = (count) => Math.floor(Math.random() * count)

for (let i = 0; ; i++) {
  await db
    .batch()
    .put(`key ${any(1000)}`, `${life}.${i} `.repeat(any(30)))
    .put(`key ${any(1000)}`, 'soon gone', { expiresAt: Date.now() + 1 + any(200) })
    .put(`key ${any(1000)}`, 'gone one day', { expiresAt: Date.now() + 86_400_000 + any(1000) })
    .del(`key ${any(1000)}`)
    .clearRange({ prefix: `${any(100)}.` }, { keyspace: orders })
    .put(`${any(100)}.${any(100)}`, 'order', { keyspace: orders })
    .write({ sync: any(20) === 0 })
  process.stdout.write(`${i}\n`)
}
