import { randomFillSync } from 'node:crypto'
import type { FileSystem } from './file-system.js'

/** Bytes that nobody can guess; those of a test's file system follow from its seed. */
export function randomBytes(fs: FileSystem, count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  if (fs.randomSync === undefined) randomFillSync(bytes)
  else fs.randomSync(bytes)
  return bytes
}
