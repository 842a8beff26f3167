import type { FileHandle, FileSystem } from './file-system.js'
import { copyTree } from './file-tree.js'
import { letGo } from './let-go.js'
import { errorCode } from './system-error.js'

/** A file by the file system that it is in, which two stores of one process need not have in common. */
export interface FilePlace {
  readonly fs: FileSystem
  readonly path: string
}

// What file systems say that have no second names, none across disks, none for this user, or no more for this file.
const LINK_REFUSALS = new Set(['EXDEV', 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

const SLICE_BYTES = 1 << 20

/**
 * Gives a file that never changes a second name, or copies it where that is refused. The content is durable then, provided that
 * it was; the name once its directory is synced.
 */
export async function shareFile(from: FilePlace, to: FilePlace): Promise<'linked' | 'copied'> {
  if (from.fs !== to.fs) {
    await copyFile(from, to)
    return 'copied'
  }
  try {
    from.fs.linkSync(from.path, to.path)
    return 'linked'
  } catch (error) {
    if (!LINK_REFUSALS.has(errorCode(error) ?? '')) throw error
  }
  await copyTree(from.fs, from.path, to.path)
  return 'copied'
}

/** Copies a file and syncs the copy. `seen` gets every slice as it passes. */
export async function copyFile(
  from: FilePlace,
  to: FilePlace,
  seen: (slice: Uint8Array) => void = () => {},
): Promise<void> {
  const source = from.fs.openSync(from.path, 'read')
  try {
    const target = to.fs.openSync(to.path, 'create')
    try {
      for await (const { bytes, offset } of slicesOf(source)) {
        seen(bytes)
        for (let done = 0; done < bytes.length; ) {
          done += target.writeSync(bytes, done, bytes.length - done, offset + done)
        }
      }
      await target.sync()
    } finally {
      letGo(target)
    }
  } finally {
    letGo(source)
  }
}

/** Reads a file from its beginning to its end. */
export async function readThrough(from: FilePlace, seen: (slice: Uint8Array) => void): Promise<void> {
  const source = from.fs.openSync(from.path, 'read')
  try {
    for await (const { bytes } of slicesOf(source)) seen(bytes)
  } finally {
    letGo(source)
  }
}

/** Read on the thread pool, so that a gigabyte holds nobody up; each slice counts until the next is asked for. */
async function* slicesOf(source: FileHandle): AsyncGenerator<{ bytes: Uint8Array; offset: number }> {
  const buffer = new Uint8Array(Math.max(1, Math.min(SLICE_BYTES, source.sizeSync())))
  for (let offset = 0; ; ) {
    const count = await source.read(buffer, 0, buffer.length, offset)
    if (count === 0) return
    yield { bytes: buffer.subarray(0, count), offset }
    offset += count
  }
}
