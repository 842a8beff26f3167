import type { FileHandle, FileSystem, OpenMode } from '../../../src/index.js'
import { MemoryFileSystem } from '../../../src/index.js'

const BLOCKING_MS = 3
const POOL_MS = 20

/** Files whose every read takes so long that the store takes it to the thread pool. */
export function slowFiles(): FileSystem {
  const fs = new MemoryFileSystem()
  const openSync = fs.openSync.bind(fs)
  fs.openSync = (path: string, mode: OpenMode) => slow(openSync(path, mode)) as ReturnType<typeof openSync>
  return fs
}

function slow(file: FileHandle): FileHandle {
  const readSync = file.readSync.bind(file)
  const read = file.read.bind(file)
  file.readSync = (...args) => {
    for (const until = performance.now() + BLOCKING_MS; performance.now() < until; );
    return readSync(...args)
  }
  file.read = async (...args) => {
    await new Promise((resolve) => setTimeout(resolve, POOL_MS))
    return read(...args)
  }
  return file
}
