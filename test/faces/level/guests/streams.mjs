// level-read-stream, Node streams over iterators: a copy of a store over a socket, while the store is written to.
// `node streams.mjs DIRECTORY` makes DIRECTORY/source and DIRECTORY/copy.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { EntryStream, KeyStream, ValueStream } from 'level-read-stream'
import { SiltstoneLevel } from 'siltstone/level'

const [directory] = process.argv.slice(2)
const COUNT = 20_000
const key = (i) => `sensor-${String(i % 7)}:${String(i).padStart(6, '0')}`
const open = (name) => new SiltstoneLevel(join(directory, name), { valueEncoding: 'json' })

async function collect(stream) {
  const items = []
  for await (const item of stream) items.push(item)
  return items
}

const source = open('source')
const readings = source.sublevel('readings', { valueEncoding: 'json' })
await readings.batch(
  Array.from({ length: COUNT }, (_, i) => ({ type: 'put', key: key(i), value: { i, unit: '°C', of: 'then' } })),
)
await source.put('beside', { the: 'sublevel' })

// Whoever connects is sent every entry as a line, at the moment at which they connect.
let connected
const server = createServer(async (socket) => {
  const entries = new EntryStream(readings, { highWaterMark: 100 })
  connected()
  await pipeline(
    entries,
    async function* (all) {
      for await (const entry of all) yield `${JSON.stringify(entry)}\n`
    },
    socket,
  )
}).listen(0, '127.0.0.1')
await once(server, 'listening')

// The other side takes its time, so that the stream is far from its end when the store changes below it.
const copy = open('copy')
const opened = new Promise((resolve) => {
  connected = resolve
})
const socket = connect(server.address().port, '127.0.0.1')
await opened
await readings.clear({ gte: 'sensor-3' })
await readings.batch(Array.from({ length: COUNT }, (_, i) => ({ type: 'put', key: key(i), value: { of: 'now' } })))
let batch = []
for await (const line of createInterface({ input: socket })) {
  batch.push({ type: 'put', ...JSON.parse(line) })
  if (batch.length < 500) continue
  await copy.batch(batch)
  batch = []
}
await copy.batch(batch)
server.close()
await copy.close()
await copy.open()
const expected = Array.from({ length: COUNT }, (_, i) => ({ key: key(i), value: { i, unit: '°C', of: 'then' } }))
expected.sort((a, b) => (a.key < b.key ? -1 : 1))
assert.deepEqual(await collect(new EntryStream(copy)), expected)

// Three streams over one snapshot agree, whatever is written between them; ranges and limits go both ways.
const snapshot = copy.snapshot()
const range = { gte: 'sensor-2', lt: 'sensor-5', reverse: true, limit: 3000, snapshot }
const keys = await collect(new KeyStream(copy, range))
await copy.clear()
const values = await collect(new ValueStream(copy, range))
const entries = await collect(new EntryStream(copy, range))
assert.equal(keys.length, 3000)
assert.deepEqual(
  entries,
  keys.map((each, i) => ({ key: each, value: values[i] })),
)
assert.deepEqual(
  keys,
  expected
    .map((entry) => entry.key)
    .filter((each) => each >= 'sensor-2' && each < 'sensor-5')
    .reverse()
    .slice(0, 3000),
)
await snapshot.close()
assert.deepEqual(await collect(new KeyStream(copy)), [])

// A stream that is left in the middle lets go of its iterator, and an open one does not keep the store from closing.
const left = new KeyStream(source)
for await (const _ of left) break
assert.ok(left.destroyed)
const abandoned = new KeyStream(source)
await once(abandoned, 'readable')
await source.close()
await copy.close()
