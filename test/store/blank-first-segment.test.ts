import { expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { open } from '../../src/index.js'

/*
 * The manifest names the first segment that recovery needs. When that one turned out to hold nothing, recovery put it away, and the
 * opening after the next one missed it: the store could not be opened any more.
 */
it('a store whose only log segment was cut to nothing opens again and again', async () => {
  const fs = new MemoryFileSystem()
  const options = { fs, executor: 'inline' as const }
  let db = await open('/store', options)
  await db.put('a', '1')
  await db.flush()
  await db.close()
  const segment = fs.listSync('/store').find((name) => name.endsWith('.log'))!
  const file = fs.openSync(`/store/${segment}`, 'update')
  file.truncateSync(0)
  file.closeSync()
  for (const value of ['2', '3']) {
    db = await open('/store', options)
    expect(await db.get('a')).toBe('1')
    await db.put(value, value)
    await db.close()
  }
  db = await open('/store', options)
  expect(await db.keys().toArray()).toEqual(['2', '3', 'a'])
  await db.close()
})
