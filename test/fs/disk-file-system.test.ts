import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { describeFileSystem } from './conformance.js'

const grounds: string[] = []

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-fs-'))
  grounds.push(directory)
  return directory
}

afterAll(() => {
  for (const directory of grounds) rmSync(directory, { recursive: true, force: true })
})

describeFileSystem('disk', () => ({ fs: diskFileSystem, directory: newDirectory() }))

it('finishes reads on the pool with their own file when it is closed meanwhile', async () => {
  const directory = newDirectory()
  const put = (name: string, byte: number): void => {
    const file = diskFileSystem.openSync(`${directory}/${name}`, 'create')
    file.writeSync(new Uint8Array(4096).fill(byte), 0, 4096, 0)
    file.closeSync()
  }
  put('mine', 1)
  put('other', 2)
  const file = diskFileSystem.openSync(`${directory}/mine`, 'read')
  const targets = Array.from({ length: 32 }, () => new Uint8Array(4096))
  const reads = targets.map((target) => file.read(target, 0, 4096, 0))
  file.closeSync()
  // These would get the number of the closed descriptor, and the reads would find their bytes.
  const others = Array.from({ length: 8 }, () => diskFileSystem.openSync(`${directory}/other`, 'read'))
  expect(await Promise.all(reads)).toEqual(targets.map(() => 4096))
  for (const target of targets) expect(target.every((byte) => byte === 1)).toBe(true)
  for (const other of others) other.closeSync()
  expect(() => file.sizeSync()).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

it('reads and writes beyond four gibibytes', async () => {
  const directory = newDirectory()
  const far = 5 * 2 ** 30
  const file = diskFileSystem.openSync(`${directory}/sparse`, 'create')
  expect(file.writeSync(Uint8Array.of(7, 8, 9), 0, 3, far)).toBe(3)
  expect(file.sizeSync()).toBe(far + 3)
  const target = new Uint8Array(3)
  expect(await file.read(target, 0, 3, far)).toBe(3)
  expect([...target]).toEqual([7, 8, 9])
  file.closeSync()
})
