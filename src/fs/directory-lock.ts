import { hostname } from 'node:os'
import { type Clock, stopwatchOf, systemClock } from '../bytes/clock.js'
import { ioError, SiltstoneError } from '../bytes/errors.js'
import { reasonOf } from '../bytes/reason.js'
import type { FileLock, FileSystem } from './file-system.js'
import { type Holder, isSameBoot, newHolderId } from './holder.js'
import { type After, LockFile, lockId, parseLock, readLock } from './lock-file.js'
import { type HeldSocket, type Machine, thisMachine } from './machine.js'
import { errorCode } from './system-error.js'

/*
 * One holder at a time in a directory, whoever else can see it.
 *
 * The file LOCK decides (lock-file.ts). It says who holds the directory, and its holder changes it about once a second. The socket
 * (lock-socket.ts) is there to find out fast that a holder is gone; whoever else has its name can delay an opening, not refuse it.
 *
 * To take a lock that names another holder:
 *
 * 1. Judge. A holder that is certain to be dead, or has released the lock, is followed at once; one that is certain to live is
 *    in the way. One of whom nothing is known (another container, another machine, another boot) is watched: if the file changes it
 *    lives, if it does not change for SILENCE_MS it is silent.
 * 2. Claim. The file `LOCK.<id of that holder>` is made, which one of many can do, and if LOCK is still what was judged, it gets
 *    the name LOCK. So LOCK goes from each holder to one other, and is never absent in between.
 * 3. Wait, where the holder was only silent: FAREWELL_MS. It may be asleep (stopped, starved, out of reach) and wake up.
 *
 * A holder asks whether LOCK is still its own whenever it has not done so for BEAT_MS, before it writes and again before it says that
 * something is written. So at the end of the farewell everything that it has said is in its files, and it says nothing any more.
 * Only durations count for this, each measured by one process for itself: wall clocks may say what they like.
 *
 * The file is left behind by its last holder. Removing it would need to know that it is still one's own in the very moment in which
 * it goes. Where it is absent, nobody holds the directory, unless somebody has removed it by hand.
 */

export const LOCK_FILE = 'LOCK'

/** How long a holder relies on having seen its own file. */
export const BEAT_MS = 1000
/** How long a holder may stand still (a garbage collection, a loop without end) before it counts as silent. */
export const SILENCE_MS = 3000
/** Twice of what a holder relies on, for clocks that do not run alike. */
export const FAREWELL_MS = 2000

// Soon, for a file that is just being filled; then often enough to notice a beat when it comes.
const FIRST_LOOK_MS = 5
const LOOK_MS = 50
// How long the winner of a race may take between its socket and its file.
const NAMING_LOOKS = 10
const NAMING_MS = 10

type Verdict = 'alive' | 'dead' | 'unknown'

/**
 * Takes the lock of a directory, or throws `SILT_LOCKED` with what is known of the holder.
 */
export async function lockDirectory(
  fs: FileSystem,
  directory: string,
  clock: Clock = systemClock,
  machine: Machine = thisMachine,
): Promise<FileLock> {
  // Timers of the clock do not keep the process; whoever waits for a lock is to get it.
  const held = setInterval(() => {}, 2 ** 30)
  try {
    const socket = await machine.takeSocket(directory)
    const taker = new Taker(fs, directory, clock, machine, socket)
    try {
      return await taker.take()
    } catch (error) {
      if (typeof socket !== 'string') await socket.release()
      throw error
    }
  } catch (error) {
    throw isReadOnly(error) ? readOnlyDirectory(directory, error) : ioError(error, 'lock', directory)
  } finally {
    clearInterval(held)
  }
}

/** One attempt to take a lock. */
class Taker {
  private readonly fs: FileSystem
  private readonly directory: string
  private readonly path: string
  private readonly clock: Clock
  private readonly elapsed: () => number
  private readonly machine: Machine
  private readonly socket: HeldSocket | 'taken' | 'impossible'
  private readonly holder: Holder
  private readonly socketName: string | undefined
  private after: After = 'nothing'
  /** Somebody may still rely on the lock. */
  private mustWait = false

  constructor(fs: FileSystem, directory: string, clock: Clock, machine: Machine, socket: Taker['socket']) {
    this.fs = fs
    this.directory = directory
    this.path = `${directory}/${LOCK_FILE}`
    this.clock = clock
    this.elapsed = stopwatchOf(clock)
    this.machine = machine
    this.socket = socket
    this.socketName = machine.socketName(directory)
    const hasSocket = typeof socket !== 'string' && this.socketName !== undefined
    this.holder = { id: newHolderId(), ...machine.process, ...(hasSocket && { socket: this.socketName! }) }
  }

  async take(): Promise<FileLock> {
    const { id } = this.holder
    this.machine.held.add(id)
    let file: LockFile | undefined
    try {
      file = await this.claim()
      const { fs, path, directory, machine, socket } = this
      const lock = new DirectoryLock({ fs, path, directory, file, id, machine, socket, clock: this.clock })
      await this.settleIn(lock)
      lock.isAfterSilence = this.after === 'silence'
      lock.startBeating()
      return lock
    } catch (error) {
      attempt(() => file?.release())
      this.machine.held.delete(id)
      throw error
    }
  }

  /** Makes LOCK this holder's. */
  private async claim(): Promise<LockFile> {
    const { fs, path } = this
    if (this.socket === 'taken') await this.awaitName()
    for (;;) {
      const found = readLock(fs, path)
      if (found === undefined) {
        // Whoever has the socket may be a holder whose file somebody has removed.
        this.mustWait ||= this.socket === 'taken'
        this.after = this.mustWait ? 'silence' : 'nothing'
        const file = LockFile.create(fs, path, this.holder, this.after)
        if (file === undefined) continue
        this.clearClaims()
        return file
      }
      if (!(await this.isFree(path, found))) continue
      const file = await this.succeed(found)
      if (file !== undefined) return file
    }
  }

  /** Whoever was faster with the socket is about to write its name. */
  private async awaitName(): Promise<void> {
    for (let look = 1; look <= NAMING_LOOKS && readLock(this.fs, this.path) === undefined; look++) {
      await this.pause(NAMING_MS)
    }
  }

  /** Takes the place of the holder that `found` names, unless somebody else has done that or does it. */
  private async succeed(found: string): Promise<LockFile | undefined> {
    const { fs, path } = this
    const succession = `${path}.${lockId(found)}`
    this.after = parseLock(found)?.after === 'silence' || this.mustWait ? 'silence' : 'nothing'
    const file = LockFile.create(fs, succession, this.holder, this.after)
    if (file === undefined) {
      const rival = readLock(fs, succession)
      if (rival === undefined || !(await this.isFree(succession, rival))) return undefined
      // It did not come to its end. Should it wake up, its file is gone, or it finds another in its place.
      this.mustWait = true
      removeIfThere(fs, succession)
      return undefined
    }
    let isMine = false
    try {
      if (readLock(fs, path) === found) {
        this.replace(succession, found)
        const now = readLock(fs, path)
        isMine = now !== undefined && lockId(now) === this.holder.id
      } else removeIfThere(fs, succession)
    } finally {
      if (!isMine) file.close()
    }
    if (!isMine) return undefined
    this.clearClaims()
    return file
  }

  /** Windows does not let anybody replace a file that its holder has open: a silent one is there after all. */
  private replace(succession: string, found: string): void {
    const { fs, path } = this
    try {
      renameIfThere(fs, succession, path)
    } catch (error) {
      removeIfThere(fs, succession)
      const holder = parseLock(found)?.holder
      const isRefused = ['EPERM', 'EACCES', 'EBUSY'].includes(errorCode(error) ?? '')
      if (process.platform === 'win32' && isRefused && holder !== undefined) throw inUse(this.directory, holder)
      throw error
    }
  }

  /** Claims to what is not the lock any more: whoever made them finds that out, or is dead. */
  private clearClaims(): void {
    const { fs, directory, holder } = this
    for (const name of fs.listSync(directory)) {
      if (isClaim(name) && name !== `${LOCK_FILE}.${holder.id}`) removeIfThere(fs, `${directory}/${name}`)
    }
  }

  /** Whether the holder that a file names may be followed. False: look again. Throws `SILT_LOCKED` where it lives. */
  private async isFree(path: string, text: string): Promise<boolean> {
    const state = parseLock(text)
    const verdict = state === undefined ? 'unknown' : this.judge(state.holder)
    if (verdict === 'dead') return true
    if (verdict === 'alive') throw inUse(this.directory, state!.holder!)
    if (!(await this.isSilent(path, text))) return false
    this.mustWait = true
    return true
  }

  private judge(holder: Holder | undefined): Verdict {
    if (holder === undefined) return 'dead'
    const { machine, socket } = this
    if (machine.held.has(holder.id)) return 'alive'
    const { process } = machine
    if (!isSameBoot(holder, process)) return 'unknown'
    const isSocketInSight = holder.socket !== undefined && holder.socket === this.socketName
    const isSocketFree = isSocketInSight && typeof socket !== 'string'
    if (isSocketFree && machine.hasExactSockets) return 'dead'
    if (holder.pidNamespace !== process.pidNamespace) return 'unknown'
    const found = machine.findProcess(holder.pid, holder.startTicks)
    if (found === 'gone') return 'dead'
    // Another thread of this process, or one that has ended; the process itself proves nothing.
    if (holder.pid === process.pid) return 'unknown'
    // The id may have been given to another process, but hardly the socket's name as well.
    if (found === 'there' || (isSocketInSight && socket === 'taken')) return isSocketFree ? 'unknown' : 'alive'
    return 'unknown'
  }

  /** Watches a lock file. Throws `SILT_LOCKED` when its holder gives a sign of life. */
  private async isSilent(path: string, text: string): Promise<boolean> {
    const since = this.elapsed()
    for (let wait = FIRST_LOOK_MS; ; wait = LOOK_MS) {
      await this.pause(wait)
      const now = readLock(this.fs, path)
      if (now === text) {
        if (this.elapsed() - since > SILENCE_MS) return true
        continue
      }
      const before = parseLock(text)
      const after = now === undefined ? undefined : parseLock(now)
      if (before?.holder !== undefined && after?.holder?.id === before.id) throw inUse(this.directory, after.holder)
      return false
    }
  }

  /** Waits, where that is due, until a holder that was taken for dead, and is not, has noticed. */
  private async settleIn(lock: DirectoryLock): Promise<void> {
    const since = this.elapsed()
    try {
      lock.verify()
      while (this.mustWait && this.elapsed() - since <= FAREWELL_MS) {
        await this.pause(LOOK_MS)
        lock.check()
      }
      if (this.mustWait) lock.verify()
    } catch (error) {
      const text = readLock(this.fs, this.path)
      const holder = text === undefined ? undefined : parseLock(text)?.holder
      throw holder === undefined || holder.id === this.holder.id ? error : inUse(this.directory, holder)
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after(ms, resolve))
  }
}

interface LockParts {
  readonly fs: FileSystem
  readonly directory: string
  readonly path: string
  readonly file: LockFile
  readonly id: string
  readonly machine: Machine
  readonly socket: HeldSocket | 'taken' | 'impossible'
  readonly clock: Clock
}

/** A directory that is held. */
class DirectoryLock implements FileLock {
  isAfterSilence = false
  private readonly parts: LockParts
  private readonly elapsed: () => number
  /** When LOCK was last seen to be this holder's. */
  private verifiedAt = Number.NEGATIVE_INFINITY
  private isLost = false
  private cancelBeat: () => void = () => {}
  private releasing: Promise<void> | undefined

  constructor(parts: LockParts) {
    this.parts = parts
    this.elapsed = stopwatchOf(parts.clock)
  }

  check(): void {
    if (this.elapsed() - this.verifiedAt > BEAT_MS) this.verify()
  }

  verify(): void {
    const { fs, path, id, file, directory } = this.parts
    if (this.isLost) throw fenced(directory)
    const startedAt = this.elapsed()
    let text: string | undefined
    try {
      text = readOwn(fs, path)
    } catch (error) {
      // No descriptor left, perhaps: what was seen a moment ago still counts.
      if (startedAt - this.verifiedAt <= BEAT_MS) return
      throw error
    }
    if (text === undefined || lockId(text) !== id) {
      this.isLost = true
      this.verifiedAt = Number.NEGATIVE_INFINITY
      throw fenced(directory)
    }
    this.verifiedAt = startedAt
    // Whoever does not hear it may take the lock, which the next look notices.
    attempt(() => file.beat())
  }

  settle(): void {
    this.parts.file.settle()
    this.isAfterSilence = false
  }

  /** A beat may come late or be missing: then a look comes before the next write. */
  startBeating(): void {
    this.cancelBeat = this.parts.clock.after(BEAT_MS, () => {
      attempt(() => this.verify())
      if (!this.isLost && this.releasing === undefined) this.startBeating()
    })
  }

  release(): Promise<void> {
    this.releasing ??= this.letGo()
    return this.releasing
  }

  private async letGo(): Promise<void> {
    const { file, machine, socket, id } = this.parts
    this.cancelBeat()
    // The file first: while the socket is held nobody else can have put theirs there.
    try {
      if (this.isLost) file.close()
      else file.release()
    } finally {
      machine.held.delete(id)
      if (typeof socket !== 'string') await socket.release()
    }
  }
}

/** Whether a file is the claim of somebody who wants to follow a holder. */
export function isClaim(name: string): boolean {
  return /^LOCK\.[0-9a-f]{16}$/.test(name)
}

/** A network drive says of a file that was replaced that it is stale. */
function readOwn(fs: FileSystem, path: string): string | undefined {
  try {
    return readLock(fs, path)
  } catch (error) {
    if (errorCode((error as Error).cause) === 'ESTALE') return undefined
    throw error
  }
}

function renameIfThere(fs: FileSystem, from: string, to: string): void {
  ignoring('ENOENT', () => fs.renameSync(from, to))
}

function removeIfThere(fs: FileSystem, path: string): void {
  ignoring('ENOENT', () => fs.removeSync(path))
}

function ignoring(code: string, run: () => void): void {
  try {
    run()
  } catch (error) {
    if (errorCode(error) !== code) throw error
  }
}

function attempt(run: () => void): void {
  try {
    run()
  } catch {
    // The next look tells, before anything is written.
  }
}

function fenced(directory: string): SiltstoneError {
  return new SiltstoneError(
    'SILT_FENCED',
    `Another process has taken over ${directory}, because this one gave no sign of life for too long or its LOCK was removed. Nothing more is written here; what was under way may or may not count. Close the store and open it again`,
    { file: directory },
  )
}

function inUse(directory: string, holder: Holder): SiltstoneError {
  const { pid, host } = holder
  const isHere = host === hostname()
  const who =
    pid === process.pid && isHere
      ? `this process (${pid}); close it first, or share the one that is open`
      : `process ${pid}${isHere ? '' : ` on ${host}`}; close it there, or open with { readOnly: true } to read beside it`
  return new SiltstoneError('SILT_LOCKED', `${directory} is in use by ${who}`, { file: directory, pid })
}

function isReadOnly(error: unknown): boolean {
  const { cause } = error as { cause?: unknown }
  return ['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error) ?? errorCode(cause) ?? '')
}

function readOnlyDirectory(directory: string, error: unknown): SiltstoneError {
  const reason = reasonOf(error)
  return new SiltstoneError(
    'SILT_IO',
    `Could not lock ${directory}: ${reason}; make the directory writable, or open with { readOnly: true } to read`,
    { cause: error, file: directory },
  )
}
