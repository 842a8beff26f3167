import { expect, it } from 'vitest'
import { BEAT_MS } from '../../../src/fs/directory-lock.js'
import { MemoryFileSystem } from '../../../src/fs/memory-file-system.js'
import { type Database, type OpenOptions, open } from '../../../src/index.js'
import { SimulatedMachine } from '../../fs/lock/simulated-machine.js'

const FENCED = { code: 'SILT_FENCED', message: expect.stringContaining('/db') }

async function openOn(
  machine: SimulatedMachine,
  drive: MemoryFileSystem,
  options: OpenOptions = {},
): Promise<Database> {
  const opening = open('/db', { fs: machine.on(drive), clock: machine.clock, executor: 'inline', ...options })
  await machine.passUntil(opening)
  return opening
}

function contents(drive: MemoryFileSystem): Map<string, string> {
  const read = (name: string): string => {
    const file = drive.openSync(`/db/${name}`, 'read')
    const bytes = Buffer.alloc(file.sizeSync())
    file.readSync(bytes, 0, bytes.length, 0)
    file.closeSync()
    return bytes.toString('latin1')
  }
  return new Map(drive.listSync('/db').map((name) => [name, read(name)]))
}

/** Every way in which something can be written. */
const writes: Record<string, (db: Database) => unknown> = {
  put: (db) => db.put('a', '2'),
  'put with sync': (db) => db.put('a', '2', { sync: true }),
  putSync: (db) => db.putSync('a', '2'),
  'putSync with sync': (db) => db.putSync('a', '2', { sync: true }),
  del: (db) => db.del('a'),
  clear: (db) => db.clear(),
  batch: (db) => db.batch([{ type: 'put', key: 'a', value: '2' }]),
  'a batch in a chain': (db) => db.batch().put('a', '2').write(),
  'a transaction': (db) => db.transaction((tx) => tx.put('a', '2')),
  'a new keyspace': (db) => db.keyspace('new').put('a', '2'),
  flush: (db) => db.flush(),
}

it.each(Object.keys(writes))('%s is refused once another machine has the store, and changes nothing', async (name) => {
  const drive = new MemoryFileSystem()
  const [a, b] = [new SimulatedMachine(), new SimulatedMachine()]
  const mine = await openOn(a, drive)
  await mine.put('a', '1')
  const theirs = await openOn(b, drive)
  await theirs.put('b', '1')
  await theirs.idle()
  const before = contents(drive)
  a.clock.advance(BEAT_MS + 1)
  for (let again = 0; again < 2; again++) {
    await expect((async () => writes[name]!(mine))()).rejects.toMatchObject(FENCED)
  }
  expect(await mine.get('a')).toBe('1')
  expect(await mine.entries().toArray()).toEqual([['a', '1']])
  await mine.close()
  expect(contents(drive)).toEqual(before)
  await theirs.put('c', '1')
  await theirs.close()
  const last = await openOn(a, drive)
  expect(await last.keys().toArray()).toEqual(['a', 'b', 'c'])
  await last.close()
})

it('a store that learns of it only when it is closed leaves everything as it is', async () => {
  const drive = new MemoryFileSystem()
  const [a, b] = [new SimulatedMachine(), new SimulatedMachine()]
  const mine = await openOn(a, drive)
  await mine.put('a', '1')
  const theirs = await openOn(b, drive)
  const before = contents(drive)
  await mine.close()
  expect(contents(drive)).toEqual(before)
  expect(await theirs.get('a')).toBe('1')
  await theirs.close()
})

it('a store is taken over at once after a crash that can be seen, and nothing waits then', async () => {
  const drive = new MemoryFileSystem()
  const a = new SimulatedMachine()
  await (await openOn(a, drive)).put('a', '1')
  const next = a.another({ pid: 200, startTicks: '2' })
  next.processes.delete(100)
  next.sockets.clear()
  const opening = open('/db', { fs: next.on(drive), clock: next.clock, executor: 'inline' })
  expect(await next.passUntil(opening)).toBeLessThan(100)
  const db = await opening
  expect(await db.get('a')).toBe('1')
  await db.close()
})
