import type { FileHandle, FileSystem, OpenMode } from '../../src/fs/file-system.js'

/** Files in memory that a test can damage, slow down and run out of. Only what tables need of a file system is there. */
export class TestFiles {
  readonly contents = new Map<string, Uint8Array>()
  /** Counts up where a read takes long; hand `now` to the cache. */
  clockMs = 0
  readMs = 0
  openCount = 0
  mostOpen = 0
  /** How many files can be open at a time before EMFILE. */
  descriptors = Number.POSITIVE_INFINITY
  syncReads = 0
  poolReads = 0
  shortWrites = false

  readonly now = (): number => this.clockMs

  asFileSystem(): FileSystem {
    return this as unknown as FileSystem
  }

  openSync(path: string, mode: OpenMode): FileHandle {
    if (this.openCount >= this.descriptors) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
    if (mode === 'create') this.contents.set(path, new Uint8Array(0))
    if (!this.contents.has(path)) throw Object.assign(new Error(`ENOENT ${path}`), { code: 'ENOENT' })
    this.openCount++
    this.mostOpen = Math.max(this.mostOpen, this.openCount)
    let closed = false
    const copyOut = (target: Uint8Array, targetStart: number, length: number, offset: number): number => {
      if (closed) throw new Error(`${path} was read after it was closed`)
      this.clockMs += this.readMs
      const part = this.contents.get(path)!.subarray(offset, offset + length)
      target.set(part, targetStart)
      return part.length
    }
    return {
      path,
      readSync: (target, targetStart, length, offset) => {
        this.syncReads++
        return copyOut(target, targetStart, length, offset)
      },
      read: async (target, targetStart, length, offset) => {
        this.poolReads++
        await new Promise((resolve) => setImmediate(resolve))
        return copyOut(target, targetStart, length, offset)
      },
      writeSync: (source, sourceStart, length, offset) => {
        const written = this.shortWrites ? Math.min(length, 100_001) : length
        const before = this.contents.get(path)!
        const after = new Uint8Array(Math.max(before.length, offset + written))
        after.set(before)
        after.set(source.subarray(sourceStart, sourceStart + written), offset)
        this.contents.set(path, after)
        return written
      },
      syncSync: () => {},
      sync: async () => {},
      truncateSync: () => {},
      sizeSync: () => this.contents.get(path)!.length,
      closeSync: () => {
        if (!closed) this.openCount--
        closed = true
      },
    }
  }
}
