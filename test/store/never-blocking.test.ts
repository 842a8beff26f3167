import { cpSync } from 'node:fs'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import type { FileHandle, FileSystem } from '../../src/fs/file-system.js'
import { type Database, open } from '../../src/index.js'
import { temporaryDirectories } from './temporary.js'

/*
 * What API.md promises of promise forms: they never wait for a disk on this thread. Each is called on a store that has nothing in memory,
 * in the state in which the disk was found slow, and what is called synchronously of the file system is counted.
 */

vi.mock('../../src/table/read-pace.js', () => ({
  ReadPace: class {
    slow = true
    readHere(): void {}
    readInPool(): void {}
  },
}))

/** Of the calls that wait for a disk, those that this thread makes, and who makes them. */
let waits: string[]

function note(what: string): void {
  const callers = new Error()
    .stack!.split('\n')
    .filter((line) => line.includes('/src/') || line.includes('/src/queue/'))
  waits.push([what, ...callers.slice(0, 4)].join('\n'))
}

function counted(handle: FileHandle): FileHandle {
  const { path } = handle
  const count = (what: string): void => {
    note(`${what} ${path.slice(path.lastIndexOf('/') + 1)}`)
  }
  return new Proxy(handle, {
    get(target, name) {
      if (name === 'syncSync') count('sync')
      if (name === 'readSync' && path.endsWith('.sst')) count('read')
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** The disk, seen by the worker too. */
const fs: FileSystem = new Proxy(diskFileSystem, {
  get(target, name) {
    if (name === 'openSync') return (...given: Parameters<FileSystem['openSync']>) => opened(...given)
    if (name === 'open')
      return async (...given: Parameters<FileSystem['openSync']>) => counted(await target.open!(...given))
    if (name === 'syncDirectorySync') note('sync directory')
    const value = Reflect.get(target, name, target) as unknown
    return typeof value === 'function' ? value.bind(target) : value
  },
})

function opened(...given: Parameters<FileSystem['openSync']>): FileHandle {
  if (given[0].endsWith('.sst')) note(`open ${given[0].slice(given[0].lastIndexOf('/') + 1)}`)
  return counted(diskFileSystem.openSync(...given))
}

const directory = temporaryDirectories()
const OPTIONS = { fs, writeBufferBytes: 64 * 1024, logRetention: { bytes: 1 << 20 } }
const VALUE = 'v'.repeat(200)

async function fill(path: string): Promise<void> {
  const db = await open(path, OPTIONS)
  const other = db.keyspace('other')
  for (let round = 0; round < 3; round++) {
    for (let i = round; i < 600; i += 3) {
      await db.put(`key ${i}`, VALUE)
      await other.put(`key ${i}`, VALUE)
    }
    await db.clear({ prefix: `key ${round}1` })
    await db.flush()
  }
  const queue = db.queue('queue')
  for (let i = 0; i < 20; i++) await queue.send({ i })
  await db.log('log').appendMany(Array.from({ length: 50 }, (_, i) => Buffer.from(`entry ${i}`)))
  const topic = db.topic('topic')
  await topic.subscribe('reader').receive({ max: 1 })
  for (let i = 0; i < 20; i++) await topic.publish({ i })
  await db.compact()
  for (let i = 0; i < 50; i++) await db.put(`late ${i}`, VALUE)
  await db.close()
}

let filled: string
let db: Database
beforeAll(async () => {
  waits = []
  filled = directory()
  await fill(filled)
})
beforeEach(async () => {
  const path = directory()
  cpSync(filled, path, { recursive: true })
  db = await open(path, OPTIONS)
  await db.idle()
  waits = []
})
afterEach(() => db.close())

/** Awaits what a form gives, whatever it is. */
const forms: Record<string, (db: Database) => unknown> = {
  get: (db) => db.get('key 7'),
  'get of nothing': (db) => db.get('key 7 not'),
  has: (db) => db.has('key 8'),
  getMany: (db) => db.getMany(['key 9', 'key 500', 'none']),
  hasMany: (db) => db.hasMany(['key 9', 'key 500', 'none']),
  count: (db) => db.count(),
  entries: (db) => db.entries({ gte: 'key 3' }).toArray(),
  'entries backwards': (db) => db.entries({ reverse: true, limit: 20 }).toArray(),
  'for await': async (db) => {
    let seen = 0
    for await (const _ of db.keys({ prefix: 'key' })) seen++
    return seen
  },
  seek: async (db) => {
    const scan = db.keys()
    scan.seek('key 5')
    const found = await scan.nextMany(10)
    scan.close()
    return found
  },
  'another keyspace': (db) => db.keyspace('other').get('key 7'),
  snapshot: async (db) => {
    using snapshot = db.snapshot()
    await db.put('key 7', 'new')
    return [await snapshot.get('key 7'), await snapshot.count({ prefix: 'key 1' }), await snapshot.has('key 9')]
  },
  approximateSize: (db) => db.approximateSize({ gte: 'key 2', lt: 'key 4' }),
  put: (db) => db.put('key 7', VALUE),
  'put with sync': (db) => db.put('key 7', VALUE, { sync: true }),
  del: (db) => db.del('key 7', { sync: true }),
  clear: (db) => db.clear({ prefix: 'key 4', sync: true }),
  batch: (db) =>
    db.batch(
      [
        { type: 'put', key: 'a', value: VALUE },
        { type: 'del', key: 'key 3' },
      ],
      { sync: true },
    ),
  compareAndSet: (db) => db.compareAndSet('key 7', VALUE, 'new', { sync: true }),
  transaction: (db) =>
    db.transaction(
      async (tx) => {
        const value = await tx.get('key 7')
        const count = await tx.count({ prefix: 'key 2' })
        await db.put('something else', '1')
        await tx.put('sum', `${value?.length} ${count}`)
      },
      { sync: true },
    ),
  'puts over many segments': async (db) => {
    for (let i = 0; i < 2000; i++) await db.put(`more ${i}`, VALUE)
  },
  'puts over many segments, with sync, at once': async (db) => {
    // Until a session has said that it writes, its first file has no number yet.
    await db.put('first', '1')
    await Promise.all(Array.from({ length: 1000 }, (_, i) => db.put(`more ${i}`, VALUE, { sync: true })))
  },
  'puts over many segments in one turn': async (db) => {
    await db.put('first', '1')
    await Promise.all(Array.from({ length: 2000 }, (_, i) => db.put(`more ${i}`, VALUE, { sync: i % 2 === 0 })))
  },
  flush: async (db) => {
    await db.put('a', '1')
    await db.flush()
  },
  compact: (db) => db.compact(),
  idle: (db) => db.idle(),
  checkpoint: (db) => db.checkpoint(directory()),
  verify: (db) => db.verify(),
  changes: async (db) => {
    let seen = 0
    for await (const _ of db.changes({ since: 'oldest', follow: false })) seen++
    return seen
  },
  // What a queue, a topic or a log is opened with is read by the call that names it, which is no promise form.
  'send and receive': async (db) => {
    const queue = db.queue('queue')
    queue.stats()
    waits = []
    await queue.send({ more: true }, { sync: true })
    const messages = await queue.receive({ max: 30 })
    for (const message of messages) await message.ack({ sync: true })
    return messages.length
  },
  'publish and receive': async (db) => {
    const topic = db.topic('topic')
    topic.subscribe('reader')
    waits = []
    await topic.publish({ more: true }, { sync: true })
    const messages = await topic.subscribe('reader').receive({ max: 30 })
    for (const message of messages) await message.ack({ sync: true })
    return messages.length
  },
  'append and read': async (db) => {
    const log = db.log('log')
    log.stats()
    waits = []
    await log.append(Buffer.from('more'), { sync: true })
    let seen = 0
    for await (const _ of log.read({ from: 0 })) seen++
    await log.trim({ before: 20 })
    return seen
  },
  close: (db) => db.close(),
}

describe('nothing waits for the disk on this thread in', () => {
  it.each(Object.entries(forms))('%s', async (_, form) => {
    await form(db)
    expect(waits).toEqual([])
  })

  it('getSync, which may, and is counted', () => {
    db.getSync('key 7')
    db.putSync('key 7', '1', { sync: true })
    expect(waits.filter((wait) => wait.startsWith('read')).length).toBeGreaterThan(2)
    expect(waits.filter((wait) => wait.startsWith('sync')).length).toBeGreaterThan(0)
  })
})
