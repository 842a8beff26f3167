import type { FileHandle, FileLock, FileStatus, FileSystem, OpenMode } from '../../src/fs/file-system.js'
import type { MemoryFile } from '../../src/fs/memory-file.js'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { MemoryDirectory } from '../../src/fs/memory-tree.js'
import { systemError } from '../../src/fs/system-error.js'
import type { CallPlan, Drive, ReadAhead } from './drive.js'
import { DurableFile } from './durable-file.js'
import { DurableNames } from './durable-names.js'
import { type Call, type CallKind, FaultPlan } from './fault-plan.js'
import { drawLosses, type Losses } from './losses.js'
import { afterPowerLoss, type Remains } from './remains.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedFile } from './simulated-file.js'

const CALLS_REMEMBERED = 200

/** Thrown by every call from the crash on. A store must let it pass and touch nothing more. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash'
  readonly code = 'SIMULATED_CRASH'
}

/**
 * A disk that loses, tears and refuses on command, and does the same again for the same seed.
 *
 * What is seen is a `MemoryFileSystem`, as the page cache of a real system; beside it `DurableFile` and `DurableNames` know how
 * much of that a loss of power would leave. `crash` draws one of the states that could be found afterwards and `processDeath`
 * keeps everything; both return a new disk and leave this one dead.
 *
 * Every call is counted, so that a test can run once to count them, and then again for each number with a crash or a fault there.
 */
export class SimulatedDisk implements FileSystem, Drive {
  readonly name = 'simulated'
  readonly reachableFromWorkers = false
  readonly seed: number
  readonly random: SeededRandom
  /** Reports success for syncs, of files and of directories, that do nothing: a drive with a volatile cache. */
  lyingSync = false
  /** Bytes that all files together may have; beyond it writes come out short, then fail with ENOSPC. */
  quotaBytes = Number.POSITIVE_INFINITY
  /** Files that may be open at once; beyond it opening fails with EMFILE. */
  descriptorLimit = Number.POSITIVE_INFINITY
  /** Called before every read: to move a test's clock, or to hold back a read on the pool with a promise. */
  onRead: ((read: ReadAhead) => undefined | Promise<void>) | undefined
  /** Hears of every call when it is counted, before it is known how it ends. */
  onCall: ((call: Call) => void) | undefined
  /** The latest calls, oldest first. */
  readonly calls: Call[] = []

  readonly #plan = new FaultPlan()
  readonly #cache: MemoryFileSystem
  readonly #files: WeakMap<MemoryFile, DurableFile>
  readonly #names: DurableNames
  readonly #open = new Set<SimulatedFile>()
  /** Apart from `random`, so that what a crash leaves does not follow from how many files were made. */
  readonly #lots: SeededRandom
  #ticks: number
  #crashAt = Number.POSITIVE_INFINITY
  #crash: SimulatedCrash | undefined
  #handedOver = false

  constructor(seed: number, remains?: Remains) {
    this.seed = seed
    this.random = new SeededRandom(seed)
    const now = (): number => ++this.#ticks
    this.#ticks = remains?.ticks ?? 0
    this.#lots = new SeededRandom(seed + this.#ticks + 1)
    this.#cache = new MemoryFileSystem(now, remains?.root)
    this.#files = remains?.files ?? new WeakMap()
    this.#names = remains?.names ?? new DurableNames(this.#cache.tree.root)
  }

  // The file system.

  randomSync(target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.#lots.below(256)
  }

  openSync(path: string, mode: OpenMode): FileHandle {
    const run = (): FileHandle => {
      if (this.#open.size >= this.descriptorLimit) throw systemError('EMFILE', 'open', path)
      const cached = this.#cache.openSync(path, mode)
      if (mode === 'create') this.#names.added(this.#cache.tree.place(path, 'open'), cached.file)
      const file = new SimulatedFile(this, cached, this.#durable(cached.file), () => this.#open.delete(file))
      this.#open.add(file)
      return file
    }
    return this.call({ kind: 'open', path, syscall: 'open', detail: mode, run })
  }

  listSync(path: string): string[] {
    return this.call({ kind: 'list', path, syscall: 'scandir', run: () => this.#cache.listSync(path) })
  }

  statusSync(path: string): FileStatus | undefined {
    return this.call({ kind: 'status', path, syscall: 'stat', run: () => this.#cache.statusSync(path) })
  }

  makeDirectorySync(path: string): void {
    const run = (): void => {
      const made: string[] = []
      for (let step = path; this.#cache.tree.find(step, 'mkdir') === undefined; step = parentOf(step))
        made.unshift(step)
      this.#cache.makeDirectorySync(path)
      for (const step of made) {
        this.#names.added(this.#cache.tree.place(step, 'mkdir'), this.#cache.tree.directory(step, 'mkdir'))
      }
    }
    this.call({ kind: 'makeDirectory', path, syscall: 'mkdir', run })
  }

  removeSync(path: string): void {
    const run = (): void => {
      const file = this.#cache.tree.file(path, 'unlink')
      this.#cache.removeSync(path)
      this.#names.removed(this.#cache.tree.place(path, 'unlink'), file)
    }
    this.call({ kind: 'remove', path, syscall: 'unlink', run })
  }

  removeDirectorySync(path: string): void {
    const run = (): void => {
      const directory = this.#cache.tree.directory(path, 'rmdir')
      this.#cache.removeDirectorySync(path)
      this.#names.removed(this.#cache.tree.place(path, 'rmdir'), directory)
    }
    this.call({ kind: 'removeDirectory', path, syscall: 'rmdir', run })
  }

  renameSync(from: string, to: string): void {
    const run = (): void => {
      const { tree } = this.#cache
      const moved = tree.find(from, 'rename')
      const replaced = tree.find(to, 'rename')
      this.#cache.renameSync(from, to)
      if (moved !== undefined && moved !== replaced) {
        this.#names.moved(tree.place(from, 'rename'), tree.place(to, 'rename'), moved)
      }
    }
    this.call({ kind: 'rename', path: from, syscall: 'rename', detail: `to ${to}`, run })
  }

  linkSync(from: string, to: string): void {
    const run = (): void => {
      this.#cache.linkSync(from, to)
      this.#names.added(this.#cache.tree.place(to, 'link'), this.#cache.tree.file(to, 'link'))
    }
    this.call({ kind: 'link', path: from, syscall: 'link', detail: `to ${to}`, run })
  }

  syncDirectorySync(path: string): void {
    this.call(this.#directorySync(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.callOnPool(this.#directorySync(path))
  }

  async lock(path: string): Promise<FileLock> {
    const held = await this.callOnPool({
      kind: 'lock',
      path,
      syscall: 'lock',
      run: () => this.#cache.lock(path),
      interrupted: () => undefined,
    })
    return {
      release: () => this.callOnPool({ kind: 'unlock', path, syscall: 'unlock', run: () => held.release() }),
    }
  }

  // What a test does to it.

  /** How many calls were made. */
  get callCount(): number {
    return this.#plan.count
  }

  /** How many calls of one kind were made. */
  callCountOf(kind: CallKind): number {
    return this.#plan.countOf(kind)
  }

  /** Files that are open; zero once everything above has closed what it opened. */
  get openHandles(): number {
    return this.#open.size
  }

  get openPaths(): string[] {
    return [...this.#open].map((file) => file.path)
  }

  get crashed(): boolean {
    return this.#crash !== undefined
  }

  /** The n-th call from the making of the disk stops half-way, and no later one does anything. */
  crashAtCall(n: number): void {
    this.#crashAt = n
  }

  /** The n-th call, or the n-th of a kind, fails. Returns what takes that back. */
  failCall(n: number, code: string, kind?: CallKind): () => void {
    return this.#plan.add({ at: n, effect: { code }, ...(kind === undefined ? {} : { kind }) })
  }

  /** Every call of a kind fails, on paths that contain `path` where it is given, until the returned function is called. */
  failEvery(kind: CallKind, code: string, path?: string): () => void {
    return this.#plan.add({ kind, effect: { code }, ...(path === undefined ? {} : { path }) })
  }

  /** The n-th write writes only some of its bytes. */
  shortWriteAtCall(n: number): () => void {
    return this.#plan.add({ kind: 'write', at: n, effect: 'short' })
  }

  /** The power goes. Returns a disk with what is found afterwards; asked again, with something else that could have been. */
  crash(losses: Partial<Losses> = {}): SimulatedDisk {
    this.#die('the power went')
    const remains = afterPowerLoss(this.#remains(), this.random, drawLosses(this.random, losses))
    return new SimulatedDisk(this.random.uint32(), remains)
  }

  /** The process is killed. Returns the disk as it was, synced or not, with nothing open and nothing locked. */
  processDeath(): SimulatedDisk {
    this.#die('the process was killed')
    this.#handedOver = true
    return new SimulatedDisk(this.random.uint32(), this.#remains())
  }

  /** Every file that has a name now, with its content. */
  snapshotFiles(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>()
    for (const [path, file] of walk(this.#cache.tree.root, '')) {
      const bytes = new Uint8Array(file.size)
      file.read(bytes, 0, bytes.length, 0)
      files.set(path, bytes)
    }
    return files
  }

  /** Flips the bits of `xor` in one byte, on the disk and in what is read from now on. */
  corrupt(path: string, offset: number, xor: number): void {
    const file = this.#cache.tree.file(path, 'corrupt')
    const durable = this.#durable(file)
    const byte = new Uint8Array(1)
    if (file.read(byte, 0, 1, offset) === 0) throw new RangeError(`${path} has no byte ${offset}`)
    byte[0]! ^= xor
    file.write(byte, 0, 1, offset)
    durable.rot(offset, xor)
  }

  /** Cuts a file short for good. */
  truncate(path: string, bytes: number): void {
    const file = this.#cache.tree.file(path, 'truncate')
    const durable = this.#durable(file)
    file.truncate(bytes)
    durable.truncated(bytes)
    durable.sync(durable.mark)
  }

  /** The latest calls, one a line. */
  history(): string {
    return this.calls
      .map(({ number, kind, path, detail }) => `${number} ${kind} ${path} ${detail}`.trimEnd())
      .join('\n')
  }

  // What open files need: `Drive`.

  call<T>(plan: CallPlan<T>): T {
    const instead = this.#arrive(plan)
    return instead === 'short' && plan.short !== undefined ? plan.short() : plan.run()
  }

  async callOnPool<T>(plan: CallPlan<T | Promise<T>>, before?: Promise<void>): Promise<T> {
    let arrival: unknown
    let refused = false
    try {
      this.#arrive(plan)
    } catch (error) {
      refused = true
      arrival = error
    }
    await before
    await new Promise<void>((resolve) => laterTurn(resolve))
    if (this.#crash !== undefined) throw this.#crash
    if (refused) throw arrival
    return plan.run()
  }

  roomFor(bytes: number): number {
    if (this.quotaBytes === Number.POSITIVE_INFINITY) return bytes
    const files = new Set([...walk(this.#cache.tree.root, '')].map(([, file]) => file))
    for (const { file } of this.#open) files.add(file)
    let used = 0
    for (const file of files) used += file.size
    return Math.min(bytes, Math.max(0, this.quotaBytes - used))
  }

  #durable(file: MemoryFile): DurableFile {
    let durable = this.#files.get(file)
    // A file that came with the remains of a crash is on disk as it is.
    if (durable === undefined) this.#files.set(file, (durable = new DurableFile(file)))
    return durable
  }

  #remains(): Remains {
    return { root: this.#cache.tree.root, files: this.#files, names: this.#names, ticks: this.#ticks }
  }

  #directorySync(path: string): CallPlan<void> {
    return {
      kind: 'syncDirectory',
      path,
      syscall: 'fsync',
      run: () => {
        const directory = this.#cache.tree.directory(path, 'open')
        if (!this.lyingSync) this.#names.sync(directory)
      },
    }
  }

  #arrive<T>(plan: CallPlan<T>): 'short' | undefined {
    if (this.#crash !== undefined) throw this.#crash
    const { kind, path, detail = '' } = plan
    const number = this.#plan.arrive(kind)
    const arrived: Call = { number, kind, path, detail }
    this.calls.push(arrived)
    this.onCall?.(arrived)
    if (this.calls.length > CALLS_REMEMBERED) this.calls.shift()
    if (number >= this.#crashAt) {
      this.#interrupt(plan)
      throw this.#die(`at call ${number}, ${kind} ${path}`)
    }
    const fault = this.#plan.faultFor(kind, path)
    if (fault === undefined || fault === 'short') return fault
    plan.failed?.()
    throw systemError(fault.code, plan.syscall, path)
  }

  #interrupt<T>(plan: CallPlan<T>): void {
    try {
      if (plan.interrupted !== undefined) plan.interrupted()
      else if (this.random.chance(0.5)) plan.run()
    } catch {
      // It would have failed anyway; the crash is all that its caller learns.
    }
  }

  #die(how: string): SimulatedCrash {
    if (this.#handedOver) throw new Error('This disk has been handed over to the one that processDeath returned')
    this.#crash ??= new SimulatedCrash(`The simulated disk crashed: ${how}`)
    this.#open.clear()
    return this.#crash
  }
}

// Taken before a test can replace the timers of the process with its own.
const laterTurn = setImmediate

function* walk(directory: MemoryDirectory, prefix: string): Generator<[path: string, file: MemoryFile]> {
  for (const [name, node] of directory.entries) {
    const path = `${prefix}/${name}`
    if (node instanceof MemoryDirectory) yield* walk(node, path)
    else yield [path, node]
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) || '/'
}
