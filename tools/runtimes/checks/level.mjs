// The interface of Level.
import assert from 'node:assert/strict'
import { SiltstoneLevel } from 'siltstone/level'

const db = new SiltstoneLevel('./level', { valueEncoding: 'json' })
await db.batch([
  { type: 'put', key: 'a', value: { n: 1 } },
  { type: 'put', key: 'b', value: { n: 2 } },
])
await db.sublevel('people').put('ada', 'born 1815')
assert.deepEqual(await db.get('a'), { n: 1 })
assert.deepEqual(await db.keys({ gte: 'a', lt: 'z' }).all(), ['a', 'b'])
assert.equal(await db.sublevel('people').get('ada'), 'born 1815')
await db.close()
