import { diskFileSystem } from './disk-file-system.js'
import type { FileSystem } from './file-system.js'
import { systemError } from './system-error.js'

/*
 * Whole directories at once, for checkpoints across disks, for what repair keeps and for what destroy takes away.
 *
 * On disk this is fs-extra: it copies inside the kernel (without moving bytes where the file system can share them) and retries
 * what Windows refuses while a scanner looks at it. It takes some 20 ms to load, so only those who get here load it.
 */

const COPY_BYTES = 1 << 20

/** Copies a file or a directory with everything in it, and syncs the copy. EEXIST where the target is there. */
export async function copyTree(fs: FileSystem, from: string, to: string): Promise<void> {
  if (fs.statusSync(to) !== undefined) throw systemError('EEXIST', 'copy', from, to)
  if (fs === diskFileSystem) {
    const { copy } = await import('fs-extra/esm')
    await copy(from, to, { overwrite: false, errorOnExist: true })
  } else {
    copyBySeam(fs, from, to)
  }
  await syncTree(fs, to)
}

/** Removes a file or a directory with everything in it; nothing where it is not there. */
export async function removeTree(fs: FileSystem, path: string): Promise<void> {
  if (fs === diskFileSystem) {
    const { remove } = await import('fs-extra/esm')
    await remove(path)
  } else {
    removeBySeam(fs, path)
  }
}

function isDirectory(fs: FileSystem, path: string): boolean {
  const status = fs.statusSync(path)
  if (status === undefined) throw systemError('ENOENT', 'stat', path)
  return status.isDirectory
}

function copyBySeam(fs: FileSystem, from: string, to: string): void {
  if (isDirectory(fs, from)) {
    fs.makeDirectorySync(to)
    for (const name of fs.listSync(from)) copyBySeam(fs, `${from}/${name}`, `${to}/${name}`)
  } else {
    copyFile(fs, from, to)
  }
}

function copyFile(fs: FileSystem, from: string, to: string): void {
  const source = fs.openSync(from, 'read')
  try {
    const target = fs.openSync(to, 'create')
    try {
      const buffer = new Uint8Array(Math.min(COPY_BYTES, source.sizeSync()))
      for (
        let offset = 0, count = 0;
        (count = source.readSync(buffer, 0, buffer.length, offset)) > 0;
        offset += count
      ) {
        for (let done = 0; done < count; ) done += target.writeSync(buffer, done, count - done, offset + done)
      }
    } finally {
      target.closeSync()
    }
  } finally {
    source.closeSync()
  }
}

async function syncTree(fs: FileSystem, path: string): Promise<void> {
  if (isDirectory(fs, path)) {
    for (const name of fs.listSync(path)) await syncTree(fs, `${path}/${name}`)
    return fs.syncDirectory(path)
  }
  const file = fs.openSync(path, 'update')
  try {
    await file.sync()
  } finally {
    file.closeSync()
  }
}

function removeBySeam(fs: FileSystem, path: string): void {
  const status = fs.statusSync(path)
  if (status === undefined) return
  if (status.isDirectory) {
    for (const name of fs.listSync(path)) removeBySeam(fs, `${path}/${name}`)
    fs.removeDirectorySync(path)
  } else {
    fs.removeSync(path)
  }
}
