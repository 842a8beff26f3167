import type { FileHandle, FileSystem, OpenMode } from '../../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../../src/fs/memory-file-system.js'

/** The bytes of files by their paths. */
export type Files = ReadonlyMap<string, Uint8Array>

/** What nothing that a file says may lead to; no store lets it pass for something else. */
export class OutOfBounds extends Error {
  override readonly name = 'OutOfBounds'
}

/** A file system in memory in which no more can be read than a store of this size has any reason to. */
export class BoundedFileSystem extends MemoryFileSystem {
  private left: number

  constructor(files: Files, bytesToRead: number) {
    super()
    this.left = bytesToRead
    for (const [path, bytes] of files) {
      this.makeDirectorySync(path.slice(0, path.lastIndexOf('/')))
      const file = super.openSync(path, 'create')
      file.writeSync(bytes, 0, bytes.length, 0)
      file.closeSync()
    }
  }

  override openSync(path: string, mode: OpenMode): ReturnType<MemoryFileSystem['openSync']> {
    this.spend(64)
    const handle = super.openSync(path, mode)
    const readSync = handle.readSync.bind(handle)
    handle.readSync = (target, start, length, offset) => {
      this.spend(length)
      return readSync(target, start, length, offset)
    }
    return handle
  }

  private spend(bytes: number): void {
    this.left -= bytes
    if (this.left < 0) throw new OutOfBounds('more is read than there is')
  }
}

/** Everything below a directory. */
export function filesIn(
  fs: FileSystem,
  directory: string,
  files = new Map<string, Uint8Array>(),
): Map<string, Uint8Array> {
  for (const name of fs.listSync(directory)) {
    const path = `${directory}/${name}`
    const status = fs.statusSync(path)!
    if (status.isDirectory) filesIn(fs, path, files)
    else files.set(path, bytesOf(fs, path, status.bytes))
  }
  return files
}

function bytesOf(fs: FileSystem, path: string, length: number): Uint8Array {
  const file: FileHandle = fs.openSync(path, 'read')
  const bytes = new Uint8Array(length)
  file.readSync(bytes, 0, length, 0)
  file.closeSync()
  return bytes
}

const ALLOCATING = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'Uint8Array',
  'Uint32Array',
  'Int32Array',
  'Float64Array',
] as const

/** Runs something in which no allocation may be longer than `most` bytes; how long each is, is looked at before it is made. */
export async function withBoundedMemory<T>(most: number, run: () => Promise<T>): Promise<T> {
  const scope = globalThis as unknown as Record<string, unknown>
  const before = new Map(ALLOCATING.map((name) => [name, scope[name]]))
  for (const [name, original] of before) {
    const size = (original as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1
    scope[name] = new Proxy(original as new (...args: unknown[]) => object, {
      construct(target, args, newTarget) {
        if (typeof args[0] === 'number' && args[0] * size > most) {
          throw new OutOfBounds(`${args[0] * size} bytes are asked for`)
        }
        return Reflect.construct(target, args, newTarget)
      },
    })
  }
  try {
    return await run()
  } finally {
    for (const [name, original] of before) scope[name] = original
  }
}
