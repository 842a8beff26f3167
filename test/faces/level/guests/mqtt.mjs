// aedes-persistence-level, what the MQTT broker Aedes remembers of clients and messages: ranges of keys, values of bytes,
// chained batches and clear(). `write DIRECTORY` ends without closing; `read DIRECTORY` is the broker that starts after it.
import assert from 'node:assert/strict'
import AsyncPersistence from 'aedes-persistence-level/asyncPersistence.js'
import { SiltstoneLevel } from 'siltstone/level'

const [step, directory] = process.argv.slice(2)
const memory = new AsyncPersistence(new SiltstoneLevel(directory))
const ada = { id: 'ada' }
/** An id that begins with another one's. */
const adam = { id: 'adam' }
const TOPICS = ['home/lamp', 'é/x', 'ÿ/x', 'Ā/x', 'тема', '主题', '😀/x']
const QUEUED = 200

const message = (topic, n) => ({
  cmd: 'publish',
  brokerId: 'broker-1',
  brokerCounter: n,
  topic,
  payload: Buffer.from([0, 255, n & 255]),
  qos: 1,
  retain: true,
  dup: false,
  length: 14,
})

async function all(stream) {
  const items = []
  for await (const item of stream) items.push(item)
  return items
}

async function write() {
  await memory.setup({ id: 'broker-1' })
  const subscriptions = TOPICS.map((topic) => ({ topic, qos: 1, rh: 0, rap: true, nl: false }))
  await memory.addSubscriptions(ada, subscriptions)
  await memory.addSubscriptions(adam, subscriptions.slice(0, 1))
  for (const [n, topic] of TOPICS.entries()) await memory.storeRetained(message(topic, n))
  for (let n = 0; n < QUEUED; n++) {
    const queued = message('home/lamp', n)
    await memory.outgoingEnqueueCombi([{ clientId: ada.id }, { clientId: adam.id }], queued)
    // The client has been given a number for the first half, and has confirmed the first quarter.
    if (n < QUEUED / 2) await memory.outgoingUpdate(ada, { ...queued, messageId: n + 1 })
    if (n < QUEUED / 4) await memory.outgoingClearMessageId(ada, { messageId: n + 1 })
  }
  await memory.incomingStorePacket(ada, { ...message('home/lamp', 1), messageId: 7 })
  await memory.incomingStorePacket(adam, { ...message('home/lamp', 1), messageId: 7 })
  await memory.putWill(ada, message('gone', 1))
  process.exit(0)
}

async function read() {
  await memory.setup({ id: 'broker-2' })
  assert.deepEqual((await memory.subscriptionsByClient(ada)).map(({ topic }) => topic).sort(), [...TOPICS].sort())
  assert.deepEqual((await memory.subscriptionsByTopic('home/lamp')).map(({ clientId }) => clientId).sort(), [
    'ada',
    'adam',
  ])
  assert.deepEqual(await memory.countOffline(), { subsCount: TOPICS.length + 1, clientsCount: 2 })

  const retained = await all(memory.createRetainedStream('#'))
  assert.deepEqual(retained.map(({ topic }) => topic).sort(), [...TOPICS].sort())
  for (const { topic, payload } of retained) assert.deepEqual([...payload], [0, 255, TOPICS.indexOf(topic)])

  // In the order in which they were sent, and each client's own.
  const waiting = await all(memory.outgoingStream(ada))
  assert.deepEqual(
    waiting.map(({ brokerCounter }) => brokerCounter),
    Array.from({ length: (QUEUED * 3) / 4 }, (_, n) => n + QUEUED / 4),
  )
  assert.equal((await all(memory.outgoingStream(adam))).length, QUEUED)

  await memory.cleanIncoming(ada)
  await assert.rejects(memory.incomingGetPacket(ada, { messageId: 7 }), /no such packet/)
  assert.equal((await memory.incomingGetPacket(adam, { messageId: 7 })).messageId, 7)

  const [will] = await all(memory.streamWill({ 'broker-2': {} }))
  assert.deepEqual([will.clientId, will.topic, will.brokerId], ['ada', 'gone', 'broker-1'])
  await memory.delWill(ada)
  await memory.cleanSubscriptions(ada)
  await memory.destroy()

  const after = new AsyncPersistence(new SiltstoneLevel(directory))
  await after.setup({ id: 'broker-3' })
  assert.deepEqual(await after.subscriptionsByClient(ada), [])
  assert.deepEqual(
    (await after.subscriptionsByTopic('home/lamp')).map(({ clientId }) => clientId),
    ['adam'],
  )
  assert.equal(await after.getWill(ada), undefined)
  await after.destroy()
}

await (step === 'write' ? write() : read())
