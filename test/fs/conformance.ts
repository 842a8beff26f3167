import { describe, expect, it } from 'vitest'
import { SiltstoneError } from '../../src/bytes/errors.js'
import type { FileHandle, FileSystem } from '../../src/fs/file-system.js'

/** A file system and an empty directory in it. */
export interface Ground {
  readonly fs: FileSystem
  readonly directory: string
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function writeAll(file: FileHandle, text: string, offset = 0): void {
  const bytes = bytesOf(text)
  for (let done = 0; done < bytes.length; ) {
    done += file.writeSync(bytes, done, bytes.length - done, offset + done)
  }
}

function readAll(file: FileHandle): string {
  const bytes = new Uint8Array(file.sizeSync())
  expect(file.readSync(bytes, 0, bytes.length, 0)).toBe(bytes.length)
  return new TextDecoder().decode(bytes)
}

/** What every file system has to do, whatever it keeps its bytes in. */
export function describeFileSystem(name: string, prepare: () => Ground | Promise<Ground>): void {
  async function ground(): Promise<{
    fs: FileSystem
    at: (name: string) => string
    put: (name: string, text: string) => void
    get: (name: string) => string
  }> {
    const { fs, directory } = await prepare()
    const at = (file: string): string => (file === '' ? directory : `${directory}/${file}`)
    return {
      fs,
      at,
      put(file, text) {
        const handle = fs.openSync(at(file), 'create')
        writeAll(handle, text)
        handle.closeSync()
      },
      get(file) {
        const handle = fs.openSync(at(file), 'read')
        try {
          return readAll(handle)
        } finally {
          handle.closeSync()
        }
      },
    }
  }

  function refusal(code: string, path?: string): object {
    return expect.objectContaining({
      code,
      ...(path === undefined ? {} : { path }),
      message: expect.stringContaining(code),
    })
  }

  describe(`${name}: files`, () => {
    it('creates, writes, reads back and closes', async () => {
      const { fs, at } = await ground()
      const file = fs.openSync(at('a'), 'create')
      expect(file.path).toBe(at('a'))
      expect(file.sizeSync()).toBe(0)
      writeAll(file, 'silt settles')
      expect(readAll(file)).toBe('silt settles')
      file.closeSync()
      expect(fs.statusSync(at('a'))).toMatchObject({ bytes: 12, isDirectory: false })
    })

    it('creates only what is not there', async () => {
      const { fs, at, put, get } = await ground()
      put('a', 'first')
      expect(() => fs.openSync(at('a'), 'create')).toThrow(refusal('EEXIST', at('a')))
      expect(get('a')).toBe('first')
    })

    it('opens only what is there', async () => {
      const { fs, at } = await ground()
      expect(() => fs.openSync(at('a'), 'read')).toThrow(refusal('ENOENT', at('a')))
      expect(() => fs.openSync(at('a'), 'update')).toThrow(refusal('ENOENT', at('a')))
      expect(() => fs.openSync(at('no/a'), 'create')).toThrow(refusal('ENOENT', at('no/a')))
      expect(fs.listSync(at(''))).toEqual([])
    })

    it('does not open a directory as a file', async () => {
      const { fs, at } = await ground()
      expect(() => fs.openSync(at(''), 'update')).toThrow(refusal('EISDIR'))
      expect(() => {
        const file = fs.openSync(at(''), 'read')
        try {
          file.readSync(new Uint8Array(1), 0, 1, 0)
        } finally {
          file.closeSync()
        }
      }).toThrow(refusal('EISDIR'))
    })

    it('updates in place, and only what was opened for it', async () => {
      const { fs, at, put, get } = await ground()
      put('a', 'layer one')
      const update = fs.openSync(at('a'), 'update')
      writeAll(update, 'two', 6)
      update.closeSync()
      expect(get('a')).toBe('layer two')
      const read = fs.openSync(at('a'), 'read')
      expect(() => read.writeSync(bytesOf('x'), 0, 1, 0)).toThrow(refusal('EBADF'))
      expect(() => read.truncateSync(0)).toThrow(refusal('EINVAL'))
      read.closeSync()
      expect(get('a')).toBe('layer two')
    })

    it('reads less than asked for only at the end', async () => {
      const { fs, at, put } = await ground()
      put('a', '0123456789')
      const file = fs.openSync(at('a'), 'read')
      const target = new Uint8Array(20)
      expect(file.readSync(target, 0, 20, 0)).toBe(10)
      expect(file.readSync(target, 0, 20, 7)).toBe(3)
      expect(file.readSync(target, 0, 20, 10)).toBe(0)
      expect(file.readSync(target, 0, 20, 99)).toBe(0)
      expect(file.readSync(target, 0, 0, 0)).toBe(0)
      file.closeSync()
    })

    it('reads and writes the given part of the buffer and leaves the rest alone', async () => {
      const { fs, at } = await ground()
      const file = fs.openSync(at('a'), 'create')
      expect(file.writeSync(bytesOf('..silt..'), 2, 4, 0)).toBe(4)
      const target = bytesOf('--------')
      expect(file.readSync(target, 3, 4, 0)).toBe(4)
      expect(new TextDecoder().decode(target)).toBe('---silt-')
      file.closeSync()
    })

    it('takes bytes from shared memory and gives them there', async () => {
      const { fs, at } = await ground()
      const shared = new Uint8Array(new SharedArrayBuffer(16))
      shared.set(bytesOf('sediment'))
      const file = fs.openSync(at('a'), 'create')
      expect(file.writeSync(shared, 0, 8, 0)).toBe(8)
      expect(file.readSync(shared, 8, 8, 0)).toBe(8)
      expect(await file.read(shared, 4, 4, 0)).toBe(4)
      expect(new TextDecoder().decode(shared.slice())).toBe('sedisedisediment')
      file.closeSync()
    })

    it('reads on the pool what it reads at once', async () => {
      const { fs, at, put } = await ground()
      put('a', '0123456789')
      const file = fs.openSync(at('a'), 'read')
      const target = new Uint8Array(12)
      expect(await file.read(target, 1, 4, 3)).toBe(4)
      expect(new TextDecoder().decode(target.subarray(1, 5))).toBe('3456')
      expect(await file.read(target, 0, 12, 0)).toBe(10)
      expect(await file.read(target, 0, 12, 10)).toBe(0)
      expect(await file.read(target, 0, 0, 0)).toBe(0)
      file.closeSync()
    })

    it('fills a gap with zeros', async () => {
      const { fs, at } = await ground()
      const file = fs.openSync(at('a'), 'create')
      writeAll(file, 'end', 5000)
      const bytes = new Uint8Array(5003)
      expect(file.readSync(bytes, 0, 5003, 0)).toBe(5003)
      expect(bytes.subarray(0, 5000).every((byte) => byte === 0)).toBe(true)
      file.closeSync()
    })

    it('cuts, and shows zeros where it grows again', async () => {
      const { fs, at } = await ground()
      const file = fs.openSync(at('a'), 'create')
      writeAll(file, 'abcdef')
      file.truncateSync(2)
      expect(readAll(file)).toBe('ab')
      file.truncateSync(4)
      expect(readAll(file)).toBe('ab\0\0')
      writeAll(file, 'z', 5)
      expect(readAll(file)).toBe('ab\0\0\0z')
      file.closeSync()
    })

    it('grows far, a little at a time', async () => {
      const { fs, at } = await ground()
      const file = fs.openSync(at('a'), 'create')
      const part = new Uint8Array(1000).map((_, i) => i)
      for (let i = 0; i < 300; i++) expect(file.writeSync(part, 0, part.length, i * part.length)).toBe(part.length)
      const whole = new Uint8Array(300_000)
      expect(file.readSync(whole, 0, whole.length, 0)).toBe(whole.length)
      expect(whole.every((byte, i) => byte === (i % 1000) % 256)).toBe(true)
      file.closeSync()
    })

    it('is used through several handles at once', async () => {
      const { fs, at, put } = await ground()
      put('a', 'one')
      const reader = fs.openSync(at('a'), 'read')
      const writer = fs.openSync(at('a'), 'update')
      writeAll(writer, 'two and more')
      expect(readAll(reader)).toBe('two and more')
      reader.closeSync()
      writer.closeSync()
    })

    it('refuses a closed file, and closes twice as once', async () => {
      const { fs, at } = await ground()
      const file = fs.openSync(at('a'), 'create')
      file.closeSync()
      file.closeSync()
      const byte = new Uint8Array(1)
      expect(() => file.readSync(byte, 0, 1, 0)).toThrow(refusal('EBADF'))
      expect(() => file.writeSync(byte, 0, 1, 0)).toThrow(refusal('EBADF'))
      expect(() => file.truncateSync(0)).toThrow(refusal('EBADF'))
      expect(() => file.sizeSync()).toThrow(refusal('EBADF'))
      expect(() => file.syncSync()).toThrow(refusal('EBADF'))
      await expect(file.read(byte, 0, 1, 0)).rejects.toThrow(refusal('EBADF'))
      await expect(file.sync()).rejects.toThrow(refusal('EBADF'))
    })

    it('finishes what is on the pool when a file is closed', async () => {
      const { fs, at, put } = await ground()
      put('a', 'silt')
      const file = fs.openSync(at('a'), 'update')
      const target = new Uint8Array(4)
      const pending = Promise.all([file.read(target, 0, 4, 0), file.sync()])
      file.closeSync()
      expect((await pending)[0]).toBe(4)
      expect(new TextDecoder().decode(target)).toBe('silt')
    })

    it('syncs both ways', async () => {
      const { fs, at, get } = await ground()
      const file = fs.openSync(at('a'), 'create')
      writeAll(file, 'stone')
      file.syncSync()
      await file.sync()
      fs.syncDirectorySync(at(''))
      await fs.syncDirectory(at(''))
      file.closeSync()
      expect(get('a')).toBe('stone')
    })
  })

  describe(`${name}: names`, () => {
    it('lists what is in a directory, and nothing below', async () => {
      const { fs, at, put } = await ground()
      fs.makeDirectorySync(at('sub/deep'))
      put('a', '')
      put('sub/b', '')
      expect(fs.listSync(at('')).sort()).toEqual(['a', 'sub'])
      expect(fs.listSync(at('sub')).sort()).toEqual(['b', 'deep'])
      expect(() => fs.listSync(at('no'))).toThrow(refusal('ENOENT', at('no')))
      expect(() => fs.listSync(at('a'))).toThrow(refusal('ENOTDIR', at('a')))
    })

    it('knows what is there and what is not', async () => {
      const { fs, at, put } = await ground()
      put('a', 'abc')
      expect(fs.statusSync(at('a'))).toMatchObject({ bytes: 3, isDirectory: false })
      expect(fs.statusSync(at(''))).toMatchObject({ bytes: 0, isDirectory: true })
      expect(fs.statusSync(at('no'))).toBeUndefined()
      expect(fs.statusSync(at('no/deeper'))).toBeUndefined()
    })

    it('dates a file by its last write', async () => {
      const { fs, at, put } = await ground()
      put('a', 'abc')
      const created = fs.statusSync(at('a'))!.modifiedAt
      const file = fs.openSync(at('a'), 'update')
      writeAll(file, 'later')
      file.closeSync()
      expect(fs.statusSync(at('a'))!.modifiedAt).toBeGreaterThanOrEqual(created)
      expect(created).toBeGreaterThan(0)
    })

    it('makes directories with those above them, once or twice', async () => {
      const { fs, at, put } = await ground()
      fs.makeDirectorySync(at('x/y/z'))
      fs.makeDirectorySync(at('x/y'))
      expect(fs.statusSync(at('x/y/z'))?.isDirectory).toBe(true)
      put('file', '')
      expect(() => fs.makeDirectorySync(at('file'))).toThrow(refusal('EEXIST'))
      expect(() => fs.makeDirectorySync(at('file/sub'))).toThrow(refusal('ENOTDIR'))
    })

    it('removes files', async () => {
      const { fs, at, put } = await ground()
      put('a', 'abc')
      fs.removeSync(at('a'))
      expect(fs.statusSync(at('a'))).toBeUndefined()
      expect(() => fs.removeSync(at('a'))).toThrow(refusal('ENOENT', at('a')))
    })

    it('removes directories that are empty', async () => {
      const { fs, at, put } = await ground()
      fs.makeDirectorySync(at('d'))
      put('d/a', '')
      expect(() => fs.removeDirectorySync(at('d'))).toThrow(refusal('ENOTEMPTY', at('d')))
      expect(() => fs.removeDirectorySync(at('d/a'))).toThrow(refusal('ENOTDIR'))
      fs.removeSync(at('d/a'))
      fs.removeDirectorySync(at('d'))
      expect(fs.statusSync(at('d'))).toBeUndefined()
      expect(() => fs.removeDirectorySync(at('d'))).toThrow(refusal('ENOENT', at('d')))
    })

    it('keeps a removed file readable while it is open', async () => {
      const { fs, at, put } = await ground()
      put('a', 'still here')
      const file = fs.openSync(at('a'), 'read')
      fs.removeSync(at('a'))
      put('a', 'another one')
      expect(readAll(file)).toBe('still here')
      file.closeSync()
    })

    it('renames, and replaces what was there', async () => {
      const { fs, at, put, get } = await ground()
      put('new', 'new')
      put('old', 'old')
      const old = fs.openSync(at('old'), 'read')
      fs.renameSync(at('new'), at('old'))
      expect(get('old')).toBe('new')
      expect(readAll(old)).toBe('old')
      old.closeSync()
      expect(fs.listSync(at(''))).toEqual(['old'])
      fs.renameSync(at('old'), at('old'))
      expect(get('old')).toBe('new')
    })

    it('renames across directories, and directories themselves', async () => {
      const { fs, at, put, get } = await ground()
      fs.makeDirectorySync(at('from'))
      fs.makeDirectorySync(at('to'))
      put('from/a', 'abc')
      fs.renameSync(at('from/a'), at('to/b'))
      expect(get('to/b')).toBe('abc')
      fs.renameSync(at('to'), at('from'))
      expect(get('from/b')).toBe('abc')
      expect(fs.listSync(at(''))).toEqual(['from'])
    })

    it('refuses renames that make no sense', async () => {
      const { fs, at, put } = await ground()
      fs.makeDirectorySync(at('d/e'))
      fs.makeDirectorySync(at('empty'))
      put('a', '')
      expect(() => fs.renameSync(at('no'), at('b'))).toThrow(refusal('ENOENT', at('no')))
      expect(() => fs.renameSync(at('a'), at('no/b'))).toThrow(refusal('ENOENT', at('a')))
      expect(() => fs.renameSync(at('a'), at('d'))).toThrow(refusal('EISDIR'))
      expect(() => fs.renameSync(at('d'), at('a'))).toThrow(refusal('ENOTDIR'))
      expect(() => fs.renameSync(at('empty'), at('d'))).toThrow(refusal('ENOTEMPTY'))
      expect(() => fs.renameSync(at('d'), at('d/e/f'))).toThrow(refusal('EINVAL'))
    })

    it('gives one file two names', async () => {
      const { fs, at, put, get } = await ground()
      put('a', 'shared')
      fs.linkSync(at('a'), at('b'))
      const file = fs.openSync(at('b'), 'update')
      writeAll(file, 'SHARED')
      file.closeSync()
      expect(get('a')).toBe('SHARED')
      fs.removeSync(at('a'))
      expect(get('b')).toBe('SHARED')
      put('c', '')
      expect(() => fs.linkSync(at('b'), at('c'))).toThrow(refusal('EEXIST', at('b')))
      expect(() => fs.linkSync(at('no'), at('d'))).toThrow(refusal('ENOENT', at('no')))
    })

    it('syncs only directories that are there', async () => {
      const { fs, at } = await ground()
      expect(() => fs.syncDirectorySync(at('no'))).toThrow(refusal('ENOENT'))
      await expect(fs.syncDirectory(at('no'))).rejects.toThrow(refusal('ENOENT'))
    })
  })

  describe(`${name}: lock`, () => {
    it('is held by one at a time, and says by whom', async () => {
      const { fs, at } = await ground()
      const first = await fs.lock(at(''))
      const refused = await fs.lock(at('')).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(SiltstoneError)
      expect(refused).toMatchObject({ code: 'SILT_LOCKED', pid: process.pid })
      expect((refused as Error).message).toContain(`${process.pid}`)
      await first.release()
      const second = await fs.lock(at(''))
      // What was released already does not release what others hold now.
      await first.release()
      await expect(fs.lock(at(''))).rejects.toMatchObject({ code: 'SILT_LOCKED' })
      await second.release()
    })

    it('is one for all paths to a directory, and one for each directory', async () => {
      const { fs, at } = await ground()
      fs.makeDirectorySync(at('d'))
      fs.makeDirectorySync(at('e'))
      const d = await fs.lock(at('d'))
      await expect(fs.lock(at('e/../d'))).rejects.toMatchObject({ code: 'SILT_LOCKED' })
      const e = await fs.lock(at('e'))
      await Promise.all([d.release(), e.release()])
    })

    it('goes to exactly one of many who ask at once', async () => {
      const { fs, at } = await ground()
      const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => fs.lock(at(''))))
      const held = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      expect(held).toHaveLength(1)
      await held[0]!.value.release()
    })

    it('needs a directory', async () => {
      const { fs, at } = await ground()
      await expect(fs.lock(at('no'))).rejects.toMatchObject({ code: 'SILT_IO', cause: { code: 'ENOENT' } })
    })
  })
}
