import { ioError, SiltstoneError } from '../../bytes/errors.js'
import type { FileHandle, FileSystem } from '../../fs/file-system.js'

const CHUNK_BYTES = 1024 * 1024
/** What disks give up at a time. */
const SECTOR_BYTES = 4096

/** Whether an error speaks of bytes that are bad, and not of a file that may not be read or a Node that is too old for it. */
export function isDamage(error: unknown): error is SiltstoneError {
  if (!(error instanceof SiltstoneError)) return false
  return error.code === 'SILT_CORRUPTION' || (error.code === 'SILT_IO' && isUnreadable(error.cause))
}

/** A whole file, with zeros where the disk does not give its bytes back any more: no checksum takes those for data. */
export function readableBytes(fs: FileSystem, path: string): Uint8Array {
  let file: FileHandle | undefined
  try {
    file = fs.openSync(path, 'read')
    const bytes = new Uint8Array(file.sizeSync())
    for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
      const end = Math.min(bytes.length, offset + CHUNK_BYTES)
      if (read(file, bytes, offset, end)) continue
      for (let sector = offset; sector < end; sector += SECTOR_BYTES) {
        const sectorEnd = Math.min(end, sector + SECTOR_BYTES)
        if (!read(file, bytes, sector, sectorEnd)) bytes.fill(0, sector, sectorEnd)
      }
    }
    return bytes
  } catch (error) {
    throw ioError(error, 'read', path)
  } finally {
    file?.closeSync()
  }
}

function read(file: FileHandle, bytes: Uint8Array, start: number, end: number): boolean {
  try {
    file.readSync(bytes, start, end - start, start)
    return true
  } catch (error) {
    if (isUnreadable(error)) return false
    throw error
  }
}

function isUnreadable(error: unknown): boolean {
  return (error as { code?: string } | undefined)?.code === 'EIO'
}
