import { invalid } from '../../bytes/errors.js'
import { getU32 } from '../../bytes/integers.js'
import type { Position } from '../../bytes/units.js'
import { describe } from '../encoding.js'
import type { Engine } from '../engine.js'
import type { PullSource } from '../pull-stream.js'
import { type Commit, type Encodings, readCommit } from './change.js'
import { LogReader } from './log-reader.js'

/** What `changes` takes. */
export interface ChangesOptions {
  /**
   * After which position: of a commit, a snapshot or a checkpoint; 0 for the first commit ever, 'oldest' for the oldest that is kept.
   * Left out: from now on.
   */
  since?: number | 'oldest'
  /**
   * Keys and values as the bytes that they are (default false), and with them what indexes, queues and topics keep in the store: everything
   * that another store needs to be the same.
   */
  raw?: boolean
  /** Wait for commits that are still to come (default true), or end with the last one there is. */
  follow?: boolean
  /** Ends the loop when it aborts, with its reason. */
  signal?: AbortSignal
}

/** Who reads commits, and so how: with encodings for keys and values, or everything as it is. */
export type FeedEncodings = ((keyspace: string) => Encodings) | 'raw'

/** Reads commits off the log, a slice of it at a time: what is ahead of whoever reads them is never more than that. */
export class ChangeFeed implements PullSource<Commit> {
  private readonly engine: Engine
  private readonly encodings: FeedEncodings
  private readonly reader: LogReader
  /** Read and not yet taken, the next one last. */
  private commits: Commit[] = []
  /** What the commit behind those could not be read for. */
  private failure: { readonly error: unknown } | undefined

  constructor(engine: Engine, since: ChangesOptions['since'], encodings: FeedEncodings) {
    this.engine = engine
    this.encodings = encodings
    this.reader = new LogReader(engine, startOf(engine, since), typeof since !== 'number')
  }

  get isBehind(): boolean {
    return this.commits.length > 0 || this.failure !== undefined || this.reader.isBehind
  }

  /** Whether `take` has a commit at hand, which it returns without looking for it. */
  get hasOneReady(): boolean {
    return this.commits.length > 0
  }

  async take(): Promise<Commit | undefined> {
    if (this.commits.length === 0) {
      if (this.failure !== undefined) throw this.failure.error
      await this.reader.advance((bytes, base, start, end) => this.read(bytes, base, start, end))
    }
    return this.commits.pop()
  }

  close(): void {
    this.commits = []
  }

  private read(bytes: Uint8Array, base: Position, start: number, end: number): void {
    const commits: Commit[] = []
    try {
      for (let record = start; record < end; record += getU32(bytes, record + 4)) {
        const commit = readCommit(this.engine, this.encodings, bytes, base, record)
        if (commit !== undefined) commits.push(commit)
      }
    } catch (error) {
      // An encoding that does not understand a value: what comes before it is read all the same.
      this.failure = { error }
    }
    this.commits = commits.reverse()
  }
}

function startOf(engine: Engine, since: ChangesOptions['since']): Position {
  if (since === undefined) return engine.visible
  if (since === 'oldest') return engine.oldestPosition
  if (!Number.isSafeInteger(since) || since < 0) {
    throw invalid(`Option since must be a position of the log or 'oldest', not ${describe(since)}`)
  }
  // A reader may have been given a position that its writer has reached and it has not.
  if (engine.log !== undefined && since > engine.visible) {
    throw invalid(`Option since is ${since}, but the log ends at ${engine.visible}: the position is another store's`)
  }
  return since
}
