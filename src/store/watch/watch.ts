import { compareKeys } from '../../bytes/compare.js'
import { invalid } from '../../bytes/errors.js'
import { getU32 } from '../../bytes/integers.js'
import type { Position } from '../../bytes/units.js'
import {
  KIND_RANGE_DELETE,
  KIND_TREE,
  operationEnd,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
} from '../../log/operation.js'
import { RECORD_HEADER_BYTES, recordCount } from '../../log/record.js'
import { containsKey, type KeyRange, successor } from '../../tree/key-range.js'
import { encodeKey, type RangeOptions, resolveRange } from '../bounds.js'
import {
  type ClearChange,
  clearChange,
  clearedRange,
  type DeleteChange,
  type Encodings,
  type PutChange,
  readChange,
} from '../changes/change.js'
import { LogReader } from '../changes/log-reader.js'
import type { Encoding } from '../encoding.js'
import type { Engine } from '../engine.js'
import type { PullSource } from '../pull-stream.js'
import type { TreeState } from '../tree-state.js'
import { Backlog, type Pending } from './backlog.js'

/** What `watch` looks at: one key, or the keys of a range; without bounds all of them. */
export type WatchTarget<K> =
  | ({ key: K } & { [Bound in keyof RangeOptions<K>]?: never })
  | (RangeOptions<K> & { key?: never })

/** What else `watch` takes. */
export interface WatchOptions {
  /** Ends the loop when it aborts, with its reason. */
  signal?: AbortSignal
}

/** Something has changed; `position` is that of the commit, as `changes` has it. */
export type WatchChange<K, V> = { readonly position: Position } & (
  | Omit<PutChange<K, V>, 'keyspace'>
  | (Omit<DeleteChange<K>, 'keyspace'> & { readonly value?: undefined })
  | (Omit<ClearChange<K>, 'keyspace'> & { readonly key?: undefined; readonly value?: undefined })
)

/** What is watched, of which keyspace, and how it is read. */
export interface WatchPlan<K, V> {
  readonly state: TreeState
  readonly keyEncoding: Encoding<K>
  readonly valueEncoding: Encoding<V>
  readonly target: WatchTarget<K>
}

/**
 * Gathers what happens to a key or a range, from the moment in which it is made.
 *
 * Beside a writer in this process it listens to commits, so it never depends on what is kept of the log. In a store that only reads
 * it goes through the log after each refresh, and fails with `SILT_GONE` where the writer has kept too little of it.
 */
export class Watch<K, V> implements PullSource<WatchChange<K, V>> {
  private readonly plan: WatchPlan<K, V>
  private readonly range: KeyRange
  private readonly isOneKey: boolean
  private readonly backlog = new Backlog()
  private readonly reader: LogReader | undefined
  private readonly stop: () => void

  constructor(engine: Engine, plan: WatchPlan<K, V>) {
    const { target, keyEncoding } = plan
    this.plan = plan
    this.isOneKey = 'key' in target && target.key !== undefined
    this.range = watchedRange(keyEncoding, target)
    this.reader = engine.log === undefined ? new LogReader(engine, engine.visible, true) : undefined
    this.stop = this.reader
      ? () => {}
      : engine.onCommit(({ bytes, base }, start, end) => this.collect(bytes, base, start, end))
  }

  get isBehind(): boolean {
    return !this.backlog.isEmpty || (this.reader?.isBehind ?? false)
  }

  async take(): Promise<WatchChange<K, V> | undefined> {
    const { reader, backlog } = this
    while (reader?.isBehind) {
      await reader.advance((bytes, base, start, end) => this.collect(bytes, base, start, end))
    }
    return backlog.isEmpty ? undefined : this.tell(backlog.take())
  }

  close(): void {
    this.stop()
    this.backlog.drop()
  }

  private collect(bytes: Uint8Array, base: Position, start: number, end: number): void {
    const { id } = this.plan.state
    for (let record = start; record < end; ) {
      const next = record + getU32(bytes, record + 4)
      let operation = record + RECORD_HEADER_BYTES
      for (let left = recordCount(bytes, record); left > 0; left--) {
        const isOurs = operationTree(bytes, operation) === id && operationKind(bytes, operation) !== KIND_TREE
        if (isOurs) this.collectOperation(bytes, operation, base + next)
        operation = operationEnd(bytes, operation)
      }
      record = next
    }
  }

  private collectOperation(bytes: Uint8Array, operation: number, position: Position): void {
    if (operationKind(bytes, operation) === KIND_RANGE_DELETE) {
      const range = intersection(this.range, clearedRange(bytes, operation))
      if (range === undefined) return
      if (this.isOneKey) this.backlog.change({ position, range })
      else this.backlog.clear({ position, range })
      return
    }
    const keyStart = operationKeyStart(bytes, operation)
    const keyEnd = keyStart + operationKeyLength(bytes, operation)
    if (!containsKey(this.range, bytes, keyStart, keyEnd)) return
    const copy = Uint8Array.from(bytes.subarray(operation, operationEnd(bytes, operation)))
    const start = copy.subarray(keyStart - operation, keyEnd - operation)
    this.backlog.change({ position, range: { start, end: undefined }, operation: copy })
  }

  private tell({ position, range, operation }: Pending): WatchChange<K, V> {
    const { keyEncoding, valueEncoding } = this.plan
    if (operation !== undefined) {
      const { keyspace: _, ...change } = readChange(operation, 0, '', { keyEncoding, valueEncoding } as Encodings)
      return { ...change, position } as WatchChange<K, V>
    }
    // Of one key nobody wants to hear that it was a range.
    if (this.isOneKey) return { type: 'del', key: keyEncoding.read(range.start, 0, range.start.length), position }
    const { keyspace: _, ...change } = clearChange('', range, keyEncoding)
    return { ...change, position }
  }
}

function watchedRange<K>(encoding: Encoding<K>, target: WatchTarget<K>): KeyRange {
  if (!('key' in target) || target.key === undefined) return resolveRange(encoding, target as RangeOptions<K>)
  if (Object.entries(target).some(([name, bound]) => name !== 'key' && bound !== undefined)) {
    throw invalid('watch looks at a key or at a range; make two watches of both')
  }
  const start = encodeKey(encoding, target.key)
  return { start, end: successor(start) }
}

function intersection(a: KeyRange, b: KeyRange): KeyRange | undefined {
  const start = compareKeys(a.start, b.start) >= 0 ? a.start : b.start
  const isFirstEnd = b.end === undefined || (a.end !== undefined && compareKeys(a.end, b.end) <= 0)
  const end = isFirstEnd ? a.end : b.end
  return end !== undefined && compareKeys(start, end) >= 0 ? undefined : { start, end }
}
