import { expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { describeFileSystem } from './conformance.js'

describeFileSystem('memory', () => {
  const fs = new MemoryFileSystem()
  fs.makeDirectorySync('/ground')
  return { fs, directory: '/ground' }
})

it('has a root, and takes relative paths from there', () => {
  const fs = new MemoryFileSystem()
  fs.openSync('a', 'create').closeSync()
  expect(fs.listSync('/')).toEqual(['a'])
  expect(fs.statusSync('./x/../a')?.isDirectory).toBe(false)
  expect(() => fs.removeDirectorySync('/')).toThrow(expect.objectContaining({ code: 'EBUSY' }))
})

it('shares nothing between instances', async () => {
  const one = new MemoryFileSystem()
  const two = new MemoryFileSystem()
  one.openSync('/a', 'create').closeSync()
  expect(two.listSync('/')).toEqual([])
  const locks = await Promise.all([one.lock('/'), two.lock('/')])
  await Promise.all(locks.map((lock) => lock.release()))
})

it('fails with errors that look like those of Node', () => {
  const error: NodeJS.ErrnoException = (() => {
    try {
      new MemoryFileSystem().renameSync('/a', '/b')
    } catch (thrown) {
      return thrown as NodeJS.ErrnoException
    }
    throw new Error('the rename worked')
  })()
  expect(error).toMatchObject({ code: 'ENOENT', syscall: 'rename', path: '/a', dest: '/b' })
  expect(error.message).toBe("ENOENT: no such file or directory, rename '/a' -> '/b'")
  expect(error.errno).toBeLessThan(0)
})
