import { assert, endsWriting } from '../bytes/errors.js'
import type { FileNumber, TreeId } from '../bytes/units.js'
import type { MemtableImage } from '../memtable/memtable.js'
import { Backoff } from './backoff.js'
import type { Grove } from './grove.js'
import type { FlushJob, FlushPart, JobResult } from './job.js'
import { unionOfRanges } from './key-range.js'

/** A full segment of the commit log, to be turned into tables. */
export interface FlushRequest {
  readonly segment: FileNumber
  /** One per tree that the segment wrote to. */
  readonly images: readonly MemtableImage[]
  /** For each image the key before which nothing of it is needed any more. */
  readonly trims?: readonly (Uint8Array | undefined)[]
  /** The segment that recovery begins with once this one is in tables. */
  readonly nextSegment: FileNumber
  /** Files of the log that stay when the tables are there, and so have to be on disk before. */
  readonly keptLogs: readonly string[]
  /** Called in the turn in which the tables become visible: the memtables go at the same moment. */
  onInstalled(): void
}

interface QueuedFlush {
  readonly request: FlushRequest
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
  /** Those who want to hear of a failed attempt too. */
  readonly watchers: PromiseWithResolvers<void>[]
}

/**
 * Flushes segments, one after the other in their order, and again after a failure for as long as it takes: until a segment is
 * in tables its memtables stay readable and its log stays on disk, so nothing is lost by waiting.
 */
export class FlushQueue {
  private readonly grove: Grove
  private readonly queue: QueuedFlush[] = []
  private readonly backoff: Backoff
  private phase: 'waiting' | 'running' | 'committing' = 'waiting'
  private installedCount = 0
  private stopped: unknown

  private readonly onFlushed: () => void

  constructor(grove: Grove, onFlushed: () => void) {
    this.grove = grove
    this.onFlushed = onFlushed
    this.backoff = new Backoff(grove.clock, () => this.start())
  }

  get isEmpty(): boolean {
    return this.queue.length === 0
  }

  /** The last attempt failed and the next one waits. */
  get isStuck(): boolean {
    return this.backoff.isWaiting
  }

  /** Resolves once the tables are visible; rejects only where they never will be in this session. */
  add(request: FlushRequest): Promise<void> {
    if (this.stopped !== undefined) return Promise.reject(this.stopped)
    const { promise, resolve, reject } = withResolvers()
    this.queue.push({ request, promise, resolve, reject, watchers: [] })
    this.start()
    return promise
  }

  /** The same for a segment that is under way, but an attempt that fails from now on rejects too. Does not wait out a pause. */
  flushed(segment: FileNumber): Promise<void> {
    const queued = this.queue.find(({ request }) => request.segment === segment)
    if (queued === undefined) return this.stopped === undefined ? Promise.resolve() : Promise.reject(this.stopped)
    const watcher = withResolvers()
    queued.watchers.push(watcher)
    this.backoff.now()
    return watcher.promise
  }

  /** Blocks until a flush is installed, or throws why its attempt failed. Requires: one is queued. */
  waitSync(): void {
    assert(this.queue.length > 0 || this.stopped !== undefined, 'a flush that is waited for is queued')
    const { installedCount } = this
    this.backoff.now()
    while (this.installedCount === installedCount) {
      if (this.stopped !== undefined) throw this.stopped
      if (this.backoff.isWaiting) throw this.grove.jobs.lastError
      if (this.phase === 'running') this.grove.jobs.waitSync()
      else this.grove.manifest.settleSync()
    }
  }

  /** Tries again what waits for its next attempt. */
  retryNow(): void {
    this.backoff.now()
  }

  /** Gives up on everything that is queued; the log still has it. */
  stop(reason: unknown): void {
    this.stopped ??= reason
    this.backoff.stop()
    for (const queued of this.queue.splice(0)) {
      queued.reject(this.stopped)
      for (const watcher of queued.watchers) watcher.reject(this.stopped)
    }
  }

  private start(): void {
    const next = this.queue[0]
    if (next === undefined || this.phase !== 'waiting' || this.backoff.isWaiting || this.stopped !== undefined) return
    this.phase = 'running'
    const { segment } = next.request
    this.grove.coverFiles()
    this.grove.jobs.run(
      `flush of segment ${segment}`,
      (id) => this.jobFor(id, next.request),
      (result) => this.commit(next, result),
      (error) => this.onFailure(error),
    )
  }

  private jobFor(id: number, { segment, images, trims, keptLogs }: FlushRequest): FlushJob {
    const { clock } = this.grove
    const parts: FlushPart[] = images.map((image, i) => ({
      image,
      trimmedBefore: trims?.[i],
      lineage: this.grove.tree(image.tree).lineage(segment),
      older: this.rangesOf(image.tree),
    }))
    return { kind: 'flush', id, now: clock.now(), pins: this.grove.pins(), segment, parts, keptLogs }
  }

  private rangesOf(tree: TreeId) {
    return unionOfRanges(this.grove.tree(tree).version.metas().flat())
  }

  private commit(flush: QueuedFlush, { added }: JobResult): void {
    if (this.stopped !== undefined) return
    this.phase = 'committing'
    this.grove.commit(
      { add: added, logFrom: flush.request.nextSegment },
      () => this.onInstalled(flush),
      (error) => {
        this.grove.removeRefused(added, error)
        this.onFailure(error)
      },
    )
  }

  private onInstalled(flush: QueuedFlush): void {
    this.phase = 'waiting'
    this.installedCount++
    this.backoff.succeeded()
    this.queue.shift()
    flush.request.onInstalled()
    flush.resolve()
    for (const watcher of flush.watchers) watcher.resolve()
    this.start()
    this.onFlushed()
  }

  private onFailure(failure: unknown): void {
    this.phase = 'waiting'
    if (this.stopped !== undefined) return
    const error = this.grove.manifest.explain(failure)
    this.grove.jobs.lastError = error as Error
    if (endsWriting(error)) {
      this.stop(error)
      return
    }
    this.backoff.failed()
    for (const queued of this.queue) for (const watcher of queued.watchers.splice(0)) watcher.reject(error)
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>
  resolve(): void
  reject(error: unknown): void
}

/** As newer versions of Node have it. */
function withResolvers(): PromiseWithResolvers<void> {
  let resolve!: () => void
  let reject!: (error: unknown) => void
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
