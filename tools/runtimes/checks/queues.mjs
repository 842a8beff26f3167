// Queues, topics and logs, in one commit with a key, and after reopening.
import assert from 'node:assert/strict'
import { open } from 'siltstone'

const first = await open('./queues')
const jobs = first.queue('jobs', { ordering: 'group', maxAttempts: 3 })
for (let i = 0; i < 20; i++) await jobs.send({ i }, { group: `group:${i % 2}`, dedupId: `job:${i}` })
assert.equal((await jobs.send({ i: 0 }, { dedupId: 'job:0' })).duplicate, true)
const [taken] = await jobs.receive()
await first.batch().put('done', 'yes').ack(taken).write()
const orders = first.topic('orders')
await orders.publish({ total: 12 }, { key: 'ada' })
assert.equal(await first.log('audit').append('it began'), 0)
await first.close()

const again = await open('./queues')
assert.equal(await again.get('done'), 'yes')
const rest = again.queue('jobs')
assert.equal(rest.stats().depth, 19)
let handled = 0
const worker = rest.consume(async () => void handled++, { concurrency: 4 })
while (rest.stats().depth > 0) await new Promise((resolve) => setTimeout(resolve, 5))
await worker.stop()
assert.equal(handled, 19)
const billing = again.topic('orders').subscribe('billing', { from: 'earliest' })
const [message] = await billing.receive({ wait: 1000 })
assert.deepEqual(message.body, { total: 12 })
await message.ack()
const entries = []
for await (const { body } of again.log('audit').read({ from: 0 })) entries.push(body.toString())
assert.deepEqual(entries, ['it began'])
await again.close()
