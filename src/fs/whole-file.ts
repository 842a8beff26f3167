import { ioError } from '../bytes/errors.js'
import type { FileHandle, FileSystem } from './file-system.js'
import { letGo } from './let-go.js'

/** Everything that is in a file, or `undefined` where there is none. */
export function readWholeFile(fs: FileSystem, path: string): Uint8Array | undefined {
  let file: FileHandle
  try {
    file = fs.openSync(path, 'read')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw ioError(error, 'open', path)
  }
  try {
    const bytes = new Uint8Array(file.sizeSync())
    const length = file.readSync(bytes, 0, bytes.length, 0)
    return bytes.subarray(0, length)
  } catch (error) {
    throw ioError(error, 'read', path)
  } finally {
    letGo(file)
  }
}
