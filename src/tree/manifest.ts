import { assert, endsWriting, ioError, SiltstoneError } from '../bytes/errors.js'
import type { EpochMs, FileNumber } from '../bytes/units.js'
import type { FileHandle, FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { isSalted } from '../log/log-header.js'
import { CURRENT, manifestName, nextCurrentName } from './file-names.js'
import { ManifestFile, type ManifestReading } from './manifest-file.js'
import type { ManifestEdit, ManifestState } from './manifest-state.js'
import { isOwnFile } from './own-files.js'
import { MANIFEST_ROLLOVER_BYTES, MANIFEST_ROLLOVER_RATIO } from './tuning.js'

/** What a manifest needs from around it. */
export interface ManifestEnvironment {
  readonly fs: FileSystem
  readonly directory: string
  now(): EpochMs
  /** A number for the next manifest. Requires: `lease.files` of every state is above it. */
  takeNumber(): FileNumber
  /** Throws where the store may not be written to any more. Absent where it cannot be lost. */
  verifyLock?(): void
  /** An fsync failed, or somebody else has the store: nothing may be written any more. */
  onFailed(error: SiltstoneError): void
}

interface PendingEdit {
  readonly edit: ManifestEdit
  durable(): void
  refused(error: unknown): void
}

/** A point where the work must wait for the disk, on the thread pool or on this thread. */
interface Barrier {
  readonly path: string
  wait(): Promise<void>
  waitSync(): void
}

/**
 * The one account of which tables belong to a store. Every edit is on disk before anybody acts on it.
 *
 * The work on it (write edits, sync, roll over) is a generator that stops at every point where the disk must be waited for.
 * Normally those waits happen on the thread pool. A caller that cannot give up its turn takes the same work over and goes
 * through it with blocking calls, from wherever it stands; whoever waited before finds that the work went on without him.
 */
export class Manifest {
  readonly state: ManifestState
  /** The newest edit that is on disk. */
  lastEdit: number
  private readonly environment: ManifestEnvironment
  private file: ManifestFile | undefined
  /** The tail of the file cannot be written to: a torn edit, or one that could not be taken back. */
  private tailBroken: boolean
  /** How long the file was when it held one edit only. */
  private snapshotBytes = 0
  private readonly queue: PendingEdit[] = []
  /** Written, and waiting for the sync that is under way … */
  private unsynced: PendingEdit[] = []
  /** … or for the one after it. */
  private written: PendingEdit[] = []
  /** Synced, and about to be told. */
  private readonly announced: PendingEdit[] = []
  private work: Generator<Barrier, void> | undefined
  private barrier: Barrier | undefined
  /** Who drives the work; changes hands when the work is taken over. */
  private driver = 0
  private failure: SiltstoneError | undefined
  /** The barrier is the sync of edits, and nothing else is under way. */
  private isSyncing = false

  private constructor(environment: ManifestEnvironment, state: ManifestState, file?: ManifestFile, tailBroken = false) {
    this.environment = environment
    this.state = state
    this.file = file
    this.tailBroken = tailBroken
    this.lastEdit = state.edit
  }

  /** Makes the first manifest of a store, durable on return. */
  static create(environment: ManifestEnvironment, state: ManifestState): Manifest {
    const manifest = new Manifest(environment, state)
    try {
      manifest.commitSync({})
    } catch (error) {
      manifest.close()
      throw error
    }
    return manifest
  }

  /** Goes on with a manifest that was read, or, where `anew`, in a new file. Writes nothing yet. */
  static resume(environment: ManifestEnvironment, reading: ManifestReading, anew = false): Manifest {
    const file = ManifestFile.reopen(environment.fs, environment.directory, reading)
    // What is written from now on is to be bound to its file, so one whose records are not gets no more of them.
    return new Manifest(environment, reading.state, file, reading.torn || anew || !isSalted(reading.header!))
  }

  get number(): FileNumber {
    return this.file?.number ?? 0
  }

  /**
   * Writes an edit. One of the two is called, once: `durable` in the very turn in which the edit is known to be on disk, in the
   * order of the edits; `refused` where it is not there and never will be.
   */
  submit(edit: ManifestEdit, durable: () => void, refused: (error: unknown) => void): void {
    if (this.failure !== undefined) {
      refused(this.failure)
      return
    }
    this.queue.push({ edit, durable, refused })
    if (this.work !== undefined) {
      this.writeAhead()
      return
    }
    this.work = this.steps()
    this.step()
    if (this.barrier !== undefined) void this.drive()
  }

  /** Writes an edit and brings it to the disk, with everything that was under way before it, on this thread. */
  commitSync(edit: ManifestEdit): void {
    let refusal: unknown
    let done = false
    const durable = (): void => {
      done = true
    }
    const refused = (error: unknown): void => {
      refusal = error
    }
    this.submit(edit, durable, refused)
    this.settleSync()
    if (refusal !== undefined) throw refusal
    assert(done, 'a settled edit is on disk or was refused')
  }

  /** Brings all edits under way to the disk and has them announced, without giving up the turn. */
  settleSync(): void {
    while (this.barrier !== undefined) {
      this.driver++
      const barrier = this.barrier
      try {
        barrier.waitSync()
      } catch (error) {
        this.fail(error, barrier.path)
        return
      }
      this.step()
    }
  }

  /** Why something failed: where somebody else has the store, that explains whatever went wrong with its files. */
  explain(error: unknown): unknown {
    try {
      this.environment.verifyLock?.()
      return error
    } catch (loss) {
      return endsWriting(loss) ? loss : error
    }
  }

  /**
   * Whether an edit that is submitted now is written or refused before `submit` returns: nothing but the disk has a say in it
   * then.
   */
  get takesEdits(): boolean {
    return this.failure === undefined && !this.isRolloverDue() && (this.barrier === undefined || this.isSyncing)
  }

  /** Nothing is under way. */
  get isSettled(): boolean {
    return this.barrier === undefined
  }

  /** A sync failed: nothing is written any more. */
  get hasFailed(): boolean {
    return this.failure !== undefined
  }

  /** Requires: nothing is under way. */
  close(): void {
    assert(this.barrier === undefined, 'a manifest is closed after its edits are settled')
    letGo(this.file?.file)
    this.file = undefined
    this.failure ??= new SiltstoneError('SILT_NOT_OPEN', 'The store is closed')
  }

  private async drive(): Promise<void> {
    const driver = ++this.driver
    while (this.barrier !== undefined && driver === this.driver) {
      const barrier = this.barrier
      try {
        await barrier.wait()
      } catch (error) {
        // Taken over or not: no later success makes a failed fsync good.
        this.fail(error, barrier.path)
        return
      }
      if (driver === this.driver) this.step()
    }
  }

  /**
   * Goes on to the next barrier. Before, the lock is looked at: so every edit is written, every CURRENT renamed and every sync believed
   * only by whoever held the store right then.
   */
  private step(): void {
    this.barrier = undefined
    try {
      this.environment.verifyLock?.()
    } catch (error) {
      this.fail(error, this.environment.directory)
      return
    }
    const { value, done } = this.work!.next()
    if (done === true) this.work = undefined
    else this.barrier = value
    // Announced outside of the work: whoever hears it may ask for the next edit, or for settling.
    for (let next = this.announced.shift(); next !== undefined; next = this.announced.shift()) next.durable()
  }

  private *steps(): Generator<Barrier, void> {
    while (this.queue.length > 0 || this.written.length > 0) {
      // A new manifest begins with what is known to be on disk.
      if (this.written.length === 0 && this.isRolloverDue()) yield* this.rollOver()
      this.written.push(...this.writeQueue())
      if (this.written.length === 0) continue
      this.unsynced = this.written.splice(0)
      const manifest = this.file!
      const { end } = manifest
      const { edit } = this.state
      this.isSyncing = true
      yield syncOf(manifest.file)
      this.isSyncing = false
      manifest.syncedEnd = end
      this.lastEdit = edit
      this.announced.push(...this.unsynced.splice(0))
    }
  }

  /** Writes what waits behind the edits that are being synced, for the next sync. */
  private writeAhead(): void {
    if (!this.isSyncing || this.isRolloverDue()) return
    try {
      this.environment.verifyLock?.()
    } catch (error) {
      this.fail(error, this.environment.directory)
      return
    }
    this.written.push(...this.writeQueue())
  }

  /** Writes what waits and returns what was written; one that does not fit is refused alone. */
  private writeQueue(): PendingEdit[] {
    const written: PendingEdit[] = []
    while (this.queue.length > 0 && !this.tailBroken) {
      const pending = this.queue.shift()!
      const manifest = this.file!
      try {
        manifest.append(this.state.edit + 1, pending.edit)
      } catch (error) {
        this.tailBroken = !manifest.isWhole
        pending.refused(error)
        continue
      }
      this.state.apply(this.state.edit + 1, pending.edit)
      written.push(pending)
    }
    return written
  }

  private isRolloverDue(): boolean {
    if (this.file === undefined || this.tailBroken) return true
    const { end } = this.file
    return end > MANIFEST_ROLLOVER_BYTES && end > this.snapshotBytes * MANIFEST_ROLLOVER_RATIO
  }

  /** Begins a new manifest with everything that the old one says. Where that fails the old one goes on, if it can. */
  private *rollOver(): Generator<Barrier, void> {
    const { fs, directory } = this.environment
    const number = this.freeNumber()
    let next: ManifestFile | undefined
    try {
      try {
        const createdAt = this.environment.now()
        next = ManifestFile.create(fs, directory, number, this.lastEdit, this.state.storeId, createdAt)
        next.append(this.state.edit + 1, this.state.asEdit())
        yield syncOf(next.file)
        yield syncOfDirectory(fs, directory)
        yield* this.writeNextCurrent(number)
      } catch (error) {
        // A full disk may have space again later. Nothing names the new manifest yet, so the old one still counts.
        if (next !== undefined) this.discard(next)
        this.refuseWithoutManifest(error)
        return
      }
      yield renameOf(fs, directory, nextCurrentName(number), CURRENT)
      this.replaceFile(next)
    } finally {
      // Also where the work is given up at a failed sync.
      if (this.file !== next) letGo(next?.file)
    }
  }

  /**
   * A number that no manifest has. A session that died with its first edit has promised nothing, so its manifest may still stand under the
   * number that comes next; it is passed over, since whoever wrote it may be another.
   */
  private freeNumber(): FileNumber {
    const { fs, directory, takeNumber } = this.environment
    for (let last: FileNumber | undefined; ; ) {
      const number = takeNumber()
      const names = [manifestName(number), nextCurrentName(number)]
      const isFree = names.every((name) => fs.statusSync(`${directory}/${name}`) === undefined)
      // Whoever has only one to give hears of it when the file is made.
      if (isFree || number === last) return number
      last = number
    }
  }

  private replaceFile(next: ManifestFile): void {
    const old = this.file
    next.syncedEnd = next.end
    this.file = next
    this.tailBroken = false
    this.snapshotBytes = next.end
    this.state.edit++
    this.lastEdit = this.state.edit
    if (old === undefined) return
    letGo(old.file)
    removeIfThere(this.environment.fs, old.path)
  }

  private *writeNextCurrent(number: FileNumber): Generator<Barrier, void> {
    const { fs, directory } = this.environment
    const path = `${directory}/${nextCurrentName(number)}`
    const file = fs.openSync(path, 'create')
    try {
      const bytes = Buffer.from(`${manifestName(number)}\n`, 'latin1')
      for (let done = 0; done < bytes.length; ) done += file.writeSync(bytes, done, bytes.length - done, done)
      yield syncOf(file)
    } finally {
      letGo(file)
    }
  }

  /** Whoever has the store by now may have given the same names to files of theirs. */
  private discard({ number, path }: ManifestFile): void {
    const { fs, directory, verifyLock } = this.environment
    try {
      verifyLock?.()
    } catch {
      return
    }
    removeIfThere(fs, path)
    removeIfThere(fs, `${directory}/${nextCurrentName(number)}`)
  }

  /** Edits that wait can be written behind the old manifest unless that has no sound tail. */
  private refuseWithoutManifest(error: unknown): void {
    if (this.file !== undefined && !this.tailBroken) return
    const reason = ioError(error, 'write a new manifest in', this.environment.directory)
    for (const pending of this.queue.splice(0)) pending.refused(reason)
  }

  private fail(error: unknown, path: string): void {
    if (this.failure !== undefined) return
    const failure = endsWriting(error)
      ? error
      : new SiltstoneError(
          'SILT_FAILED',
          `Could not sync ${path}; what is on disk is unknown, so the store takes no more writes until it is opened again`,
          { cause: error, file: path },
        )
    this.failure = failure
    // A sync may fail that was taken over long ago, while whoever drives now waits for the next one: there is no work any more.
    this.driver++
    this.barrier = undefined
    this.work?.return()
    this.work = undefined
    const pendings = [...this.unsynced.splice(0), ...this.written.splice(0), ...this.queue.splice(0)]
    for (const pending of pendings) pending.refused(failure)
    this.environment.onFailed(failure)
  }
}

function syncOf(file: FileHandle): Barrier {
  return { path: file.path, wait: () => file.sync(), waitSync: () => file.syncSync() }
}

function syncOfDirectory(fs: FileSystem, directory: string): Barrier {
  return {
    path: directory,
    wait: () => fs.syncDirectory(directory),
    waitSync: () => fs.syncDirectorySync(directory),
  }
}

/** From here on it is the new name that counts. A rename whose outcome is unknown is as bad as a failed sync. */
function renameOf(fs: FileSystem, directory: string, from: string, to: string): Barrier {
  let done = false
  const rename = (): void => {
    // A barrier that was taken over is waited for twice.
    if (!done) fs.renameSync(`${directory}/${from}`, `${directory}/${to}`)
    done = true
  }
  return {
    path: `${directory}/${to}`,
    wait: async () => {
      rename()
      await fs.syncDirectory(directory)
    },
    waitSync: () => {
      rename()
      fs.syncDirectorySync(directory)
    },
  }
}

function removeIfThere(fs: FileSystem, path: string): void {
  try {
    if (isOwnFile(fs, path)) fs.removeSync(path)
  } catch {
    // Not there, or it stays until the next open removes what no manifest names.
  }
}
