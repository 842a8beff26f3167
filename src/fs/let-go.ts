import type { FileHandle } from './file-system.js'

/**
 * Closes a file that was only read, or whose content was synced before; `undefined` is nothing to close.
 *
 * A refusal changes nothing: the descriptor is free all the same, and what has to be on disk was synced, which told of its failure
 * itself. Thrown from where files are closed it would end what is still to be done: announcing a flush, releasing a lock.
 */
export function letGo(file: FileHandle | undefined): void {
  try {
    file?.closeSync()
  } catch {
    // See above.
  }
}
