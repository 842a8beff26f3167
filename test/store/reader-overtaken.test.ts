import { expect, it } from 'vitest'
import type { FileSystem } from '../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { open } from '../../src/index.js'

const WRITER = { executor: 'inline', writeBufferBytes: 64 * 1024 } as const

/** A copy of the store in `from`, as another process would see it at this moment. */
function copyOf(from: FileSystem): MemoryFileSystem {
  const to = new MemoryFileSystem()
  to.makeDirectorySync('/store')
  for (const name of from.listSync('/store')) {
    const source = from.openSync(`/store/${name}`, 'read')
    const bytes = new Uint8Array(source.sizeSync())
    source.readSync(bytes, 0, bytes.length, 0)
    source.closeSync()
    const target = to.openSync(`/store/${name}`, 'create')
    target.writeSync(bytes, 0, bytes.length, 0)
    target.closeSync()
  }
  return to
}

/** What a reader asks for comes from one file system until it has listed the store so often, and from another one from then on. */
function changing(before: FileSystem, after: FileSystem, listings: number): FileSystem {
  let count = 0
  return new Proxy(before, {
    get: (_, name) => {
      if (name === 'listSync') {
        return (path: string) => (++count > listings ? after : before).listSync(path)
      }
      const fs = count > listings ? after : before
      const member = fs[name as keyof FileSystem] as unknown
      return typeof member === 'function' ? member.bind(fs) : member
    },
  })
}

/**
 * Between the reader's look at the manifest and its look at the log the writer flushed, and removed the segment with which the
 * log began. The reader took that for a damaged store, though a second look would have shown it what had happened.
 */
it('a reader that the writer overtakes between manifest and log looks again', async () => {
  const fs = new MemoryFileSystem()
  const db = await open('/store', { ...WRITER, fs })
  await db.put('a', '1')
  await db.flush()
  await db.put('b', '2')
  const before = copyOf(fs)
  await db.flush()
  const after = copyOf(fs)
  await db.close()
  // The first listing is the search for a store, the second one that for the log.
  const reader = await open('/store', { fs: changing(before, after, 1), readOnly: true })
  expect(reader.entries().toArraySync()).toEqual([
    ['a', '1'],
    ['b', '2'],
  ])
  await reader.close()
})

/** The log names an edit that the manifest does not have, however often it is looked at. */
it('a reader of a store whose manifest was cut short says so', async () => {
  const fs = new MemoryFileSystem()
  const db = await open('/store', { ...WRITER, fs })
  for (let i = 0; i < 3; i++) {
    await db.put('a', String(i))
    await db.flush()
  }
  const damaged = copyOf(fs)
  await db.close()
  const name = damaged.listSync('/store').find((each) => each.startsWith('MANIFEST'))!
  const manifest = damaged.openSync(`/store/${name}`, 'update')
  const bytes = new Uint8Array(manifest.sizeSync())
  manifest.readSync(bytes, 0, bytes.length, 0)
  // Behind the first edit, whose length stands at its fifth byte.
  const firstEdit = new DataView(bytes.buffer).getUint32(84, true)
  manifest.truncateSync(80 + firstEdit)
  manifest.closeSync()
  await expect(open('/store', { fs: damaged, readOnly: true })).rejects.toMatchObject({
    name: 'SiltstoneError',
    code: 'SILT_CORRUPTION',
  })
})
