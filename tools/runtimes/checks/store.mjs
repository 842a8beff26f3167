// Writes, reads, scans, batches, snapshots, transactions, expiry and errors, and all of it again after reopening.
import assert from 'node:assert/strict'
import { open, SiltstoneError } from 'siltstone'

const keyOf = (i) => `key:${String(i).padStart(4, '0')}`

async function fill(db) {
  await Promise.all(Array.from({ length: 500 }, (_, i) => db.put(keyOf(i), String(i))))
  db.putSync('sync', 'yes', { sync: true })
  await db.batch([
    { type: 'put', key: 'batch', value: 'yes' },
    { type: 'del', key: keyOf(0) },
    { type: 'put', key: 'other', value: 'yes', keyspace: 'more' },
  ])
  await db.clear({ gte: keyOf(100), lt: keyOf(200) })
  await db.transaction(async (tx) => tx.put(keyOf(1), String(Number(await tx.get(keyOf(1))) + 41)))
  await db.put('short', 'gone', { expiresAt: undefined, ttl: 1 })
}

async function check(db) {
  assert.equal(await db.get(keyOf(1)), '42')
  assert.equal(db.getSync(keyOf(0)), undefined)
  assert.deepEqual(await db.getMany([keyOf(2), keyOf(150), 'sync', 'batch']), ['2', undefined, 'yes', 'yes'])
  assert.equal(await db.keyspace('more').get('other'), 'yes')
  const found = []
  for await (const [key] of db.entries({ prefix: 'key:', reverse: true, limit: 3 })) found.push(key)
  assert.deepEqual(found, [keyOf(499), keyOf(498), keyOf(497)])
  assert.equal([...db.keys({ prefix: 'key:' })].length, 399)
}

const db = await open('./store')
await fill(db)
await check(db)
const snapshot = db.snapshot()
await db.put(keyOf(2), 'later')
assert.equal(await snapshot.get(keyOf(2)), '2')
snapshot.close()
await db.put(keyOf(2), '2')
const changes = []
for await (const { operations } of db.changes({ since: 0, follow: false })) changes.push(...operations)
assert.ok(changes.length > 500)
await assert.rejects(
  db.put(undefined, '1'),
  (error) => error instanceof SiltstoneError && error.code === 'SILT_INVALID_ARGUMENT',
)
await db.close()
await assert.rejects(db.get('a'), { code: 'SILT_NOT_OPEN' })

const again = await open('./store')
await check(again)
assert.equal((await again.verify()).ok, true)
while ((await again.get('short')) !== undefined) await new Promise((resolve) => setTimeout(resolve, 5))
await again.close()
