import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { copyTree, removeTree } from '../../src/fs/file-tree.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

let base: string

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'siltstone-tree-'))
})

afterAll(() => rmSync(base, { recursive: true, force: true }))

function put(fs: FileSystem, path: string, bytes: Uint8Array): void {
  const file = fs.openSync(path, 'create')
  expect(file.writeSync(bytes, 0, bytes.length, 0)).toBe(bytes.length)
  file.closeSync()
}

function get(fs: FileSystem, path: string): Uint8Array {
  const file = fs.openSync(path, 'read')
  const bytes = new Uint8Array(file.sizeSync())
  file.readSync(bytes, 0, bytes.length, 0)
  file.closeSync()
  return bytes
}

const LARGE = new Uint8Array(2_500_000).map((_, i) => i % 251)

/** `toEqual` takes seconds for millions of bytes. */
function isLarge(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, LARGE) === 0
}

for (const [name, prepare] of [
  ['disk', (): [FileSystem, string] => [diskFileSystem, mkdtempSync(join(base, 't-'))]],
  ['any other', (): [FileSystem, string] => [new SimulatedDisk(1), '']],
] as const) {
  describe(`a tree of files on ${name}`, () => {
    it('is copied with everything in it', async () => {
      const [fs, root] = prepare()
      fs.makeDirectorySync(`${root}/from/sub/empty`)
      put(fs, `${root}/from/large`, LARGE)
      put(fs, `${root}/from/sub/small`, Uint8Array.of(1, 2, 3))
      put(fs, `${root}/from/sub/none`, new Uint8Array(0))
      await copyTree(fs, `${root}/from`, `${root}/to`)
      expect(fs.listSync(`${root}/to/sub`).sort()).toEqual(['empty', 'none', 'small'])
      expect(isLarge(get(fs, `${root}/to/large`))).toBe(true)
      expect(get(fs, `${root}/to/sub/small`)).toEqual(Uint8Array.of(1, 2, 3))
      await copyTree(fs, `${root}/to/large`, `${root}/alone`)
      expect(isLarge(get(fs, `${root}/alone`))).toBe(true)
    })

    it('is copied over nothing, and from something', async () => {
      const [fs, root] = prepare()
      put(fs, `${root}/a`, Uint8Array.of(1))
      put(fs, `${root}/b`, Uint8Array.of(2))
      await expect(copyTree(fs, `${root}/a`, `${root}/b`)).rejects.toMatchObject({ code: 'EEXIST' })
      await expect(copyTree(fs, `${root}/no`, `${root}/c`)).rejects.toMatchObject({ code: 'ENOENT' })
      expect(get(fs, `${root}/b`)).toEqual(Uint8Array.of(2))
    })

    it('is removed with everything in it, once or twice', async () => {
      const [fs, root] = prepare()
      fs.makeDirectorySync(`${root}/gone/sub`)
      put(fs, `${root}/gone/sub/a`, Uint8Array.of(1))
      put(fs, `${root}/kept`, Uint8Array.of(1))
      await removeTree(fs, `${root}/gone`)
      await removeTree(fs, `${root}/gone`)
      expect(fs.listSync(root === '' ? '/' : root)).toEqual(['kept'])
    })
  })
}

it('is durable once it is copied and its own name was synced', async () => {
  const disk = new SimulatedDisk(1)
  disk.makeDirectorySync('/from/sub')
  put(disk, '/from/sub/a', LARGE)
  await copyTree(disk, '/from', '/to')
  disk.syncDirectorySync('/')
  expect(disk.openHandles).toBe(0)
  expect(isLarge(disk.crash({ survival: 0 }).snapshotFiles().get('/to/sub/a')!)).toBe(true)
})
