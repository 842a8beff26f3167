import { createHash } from 'node:crypto'
import type { FileHandle, FileSystem } from './file-system.js'
import type { Holder } from './holder.js'
import { letGo } from './let-go.js'
import { errorCode } from './system-error.js'
import { readWholeFile } from './whole-file.js'

/*
 * LOCK: one line of JSON that says who holds the directory. The last holder leaves it behind.
 *
 *   {"id":"9f86d081884c7d65","pid":4711,"host":"db1","boot":"…","pidNamespace":"pid:[4026531836]","startTicks":"81231",
 *    "socket":"net:[4026531840] 259-1053","after":"silence","beat":"000000000012"}
 *   {"id":"9f86d081884c7d65","released":true,"after":"nothing"}
 *
 *   id            random, one for each time that the lock was taken
 *   pid … socket  what others need to find out whether the holder lives (holder.ts); what the system does not tell is left out
 *   after         "silence" while files of an earlier holder matter that may wake up, else "nothing"
 *   beat          written anew about once a second while the lock is held; nobody reads it as a time
 *   released      nobody holds it. Blanks fill it up to the length of what stood there
 *
 * A holder writes only into the file that it has made itself, through the descriptor it was made with: once another file has the name,
 * a holder that wakes up late writes into one that nobody sees.
 */

export type After = 'silence' | 'nothing'

/** What a lock file says. */
export interface LockState {
  readonly id: string
  /** Absent where nobody holds it. */
  readonly holder: Holder | undefined
  readonly after: After
}

/** Reads what a lock file says; `undefined` where it is torn or was not written by this code. */
export function parseLock(text: string): LockState | undefined {
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof said !== 'object' || said === null) return undefined
  const { id: own, pid, host, released, after: word } = said as Record<string, unknown>
  const after = word === 'silence' ? 'silence' : 'nothing'
  // Earlier versions gave no id.
  const id = typeof own === 'string' && /^[0-9a-f]{16}$/.test(own) ? own : digestOf(text)
  if (released === true) return { id, holder: undefined, after }
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || typeof host !== 'string') return undefined
  return { id, holder: { ...(said as Holder), id }, after }
}

/** Who wrote a text, whatever it says: that of an earlier version, and nonsense, is told apart by what it is. */
export function lockId(text: string): string {
  return parseLock(text)?.id ?? digestOf(text)
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** What stands in a lock file; `undefined` where there is none. */
export function readLock(fs: FileSystem, path: string): string | undefined {
  const bytes = readWholeFile(fs, path)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
}

/** A lock file that this holder has made, under whatever name it stands. */
export class LockFile {
  private readonly file: FileHandle
  private readonly holder: Holder
  private after: After
  private beats = 0
  private length = 0

  private constructor(file: FileHandle, holder: Holder, after: After) {
    this.file = file
    this.holder = holder
    this.after = after
  }

  /** `undefined` where the name is taken. */
  static create(fs: FileSystem, path: string, holder: Holder, after: After): LockFile | undefined {
    let file: FileHandle
    try {
      file = fs.openSync(path, 'create')
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return undefined
      throw error
    }
    const made = new LockFile(file, holder, after)
    try {
      made.beat()
    } catch (error) {
      letGo(file)
      fs.removeSync(path)
      throw error
    }
    return made
  }

  /** Shows whoever watches that the holder lives. */
  beat(): void {
    const beat = String(++this.beats).padStart(12, '0')
    this.write(JSON.stringify({ ...this.holder, after: this.after, beat }))
  }

  /** Says that files of an earlier holder do not matter any more. */
  settle(): void {
    this.after = 'nothing'
    this.beat()
  }

  /** Says that nobody holds it, and lets go of the file. */
  release(): void {
    try {
      this.write(JSON.stringify({ id: this.holder.id, released: true, after: this.after }))
    } finally {
      this.close()
    }
  }

  close(): void {
    letGo(this.file)
  }

  /** Of the length of the longest text, so that nothing is left of what stood there. */
  private write(text: string): void {
    this.length = Math.max(this.length, Buffer.byteLength(text))
    const bytes = Buffer.from(`${text}${' '.repeat(this.length - Buffer.byteLength(text))}\n`)
    for (let done = 0; done < bytes.length; ) {
      done += this.file.writeSync(bytes, done, bytes.length - done, done)
    }
  }
}
