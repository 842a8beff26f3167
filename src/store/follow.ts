import { ioError } from '../bytes/errors.js'
import { RECORD_HEADER_BYTES } from '../log/record.js'
import { parseStoreFile } from '../tree/file-names.js'
import type { Engine } from './engine.js'

/** What `follow` takes. */
export interface FollowOptions {
  /** How often it is looked whether the writer has written, where the system does not say so by itself (default 1000). */
  intervalMs?: number
  /** Ends the following when it aborts, with its reason. */
  signal?: AbortSignal
}

/**
 * Moves a reader on whenever its writer, in another process, has written, until the store is closed.
 *
 * Nothing tells of another process's commits but its files. The system reports changes in their directory where it can; on top of that
 * they are looked at in intervals, because not every file system reports what another machine did. A look costs a listing and a read of 32 bytes; the
 * reader is moved only where sizes or names have changed, or a record stands where its log ended.
 */
export async function followWriter(
  engine: Engine,
  refresh: () => Promise<void>,
  { intervalMs = 1000, signal }: FollowOptions,
): Promise<void> {
  const { fs, directory, clock } = engine
  const bell = new Bell()
  const ring = (): void => bell.ring()
  const stops = [fs.watch?.(directory, ring), engine.shifts.add(ring)]
  signal?.addEventListener('abort', ring)
  try {
    let seen = ''
    while (engine.isOpen) {
      signal?.throwIfAborted()
      // Looked at before the refresh: what is written during it is reason for another one.
      const names = traceOf(engine)
      const tail = tailOf(engine)
      if (names + tail === seen) await bell.within(clock, intervalMs)
      else {
        const startedAt = clock.now()
        await refresh()
        // Nothing behind the new end is as good as what was behind the old one.
        seen = names + (tailOf(engine) === '' ? '' : tail)
        // Beside a writer that never rests, half of the time belongs to those who read.
        await bell.within(clock, clock.now() - startedAt)
      }
    }
  } catch (error) {
    if (engine.isOpen) throw error
  } finally {
    for (const stop of stops) stop?.()
    signal?.removeEventListener('abort', ring)
  }
}

/** A text that changes when the writer has written. */
function traceOf({ fs, directory }: Engine): string {
  try {
    return fs
      .listSync(directory)
      .filter((name) => isWritten(name))
      .map((name) => `${name} ${fs.statusSync(`${directory}/${name}`)?.bytes}`)
      .join('\n')
  } catch (error) {
    throw ioError(error, 'look for commits in', directory)
  }
}

/**
 * What stands behind the last record that the reader knows, empty where there is nothing yet: the file of a log that is filled
 * with zeros ahead does not grow with every commit.
 */
function tailOf({ fs, segments }: Engine): string {
  const last = segments.at(-1)
  if (last === undefined) return ''
  const head = new Uint8Array(RECORD_HEADER_BYTES)
  try {
    const file = fs.openSync(last.path, 'read')
    try {
      file.readSync(head, 0, head.length, last.end)
    } finally {
      file.closeSync()
    }
  } catch (error) {
    // The names tell that it was removed.
    if ((error as { code?: string }).code === 'ENOENT') return ''
    throw ioError(error, 'look for commits in', last.path)
  }
  return head.every((byte) => byte === 0) ? '' : `\n${last.end} ${head.join(' ')}`
}

/** Tables are not there to be seen before a manifest names them. */
function isWritten(name: string): boolean {
  const kind = parseStoreFile(name)?.kind
  return kind === 'segment' || kind === 'manifest'
}

/** Something to wait for that may have happened already. */
class Bell {
  private hasRung = false
  private wake: () => void = () => {}

  ring(): void {
    this.hasRung = true
    this.wake()
  }

  /** Resolves when it rings, or when the time is over. Always in a later turn of the loop. */
  async within(clock: Engine['clock'], ms: number): Promise<void> {
    await new Promise(setImmediate)
    if (this.hasRung || ms <= 0) {
      this.hasRung = false
      return
    }
    await new Promise<void>((resolve) => {
      const cancel = clock.after(ms, resolve)
      this.wake = () => {
        cancel()
        resolve()
      }
    })
    this.hasRung = false
    this.wake = () => {}
  }
}
