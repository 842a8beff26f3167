// A store over shards, on this thread and each shard in a thread of its own.
import assert from 'node:assert/strict'
import { openSharded } from 'siltstone/shard'

for (const threads of [false, true]) {
  const path = `./shards-${threads}`
  const store = await openSharded(path, { shards: ['a', 'b', 'c'], threads })
  await Promise.all(Array.from({ length: 300 }, (_, i) => store.put(`user:${i}`, String(i))))
  assert.equal(await store.get('user:7'), '7')
  assert.equal(await store.count(), 300)
  const keys = []
  for await (const key of store.keys({ limit: 3 })) keys.push(key)
  assert.deepEqual(keys, ['user:0', 'user:1', 'user:10'])
  await store.queue('jobs').send({ i: 1 })
  await store.close()

  const again = await openSharded(path, { threads })
  assert.equal(await again.get('user:299'), '299')
  const [message] = await again.queue('jobs').receive({ wait: 1000 })
  assert.deepEqual(message.body, { i: 1 })
  await message.ack()
  await again.close()
}
