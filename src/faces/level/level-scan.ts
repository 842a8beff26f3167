import type { RangeOptions } from '../../store/bounds.js'
import type { ReadOptions } from '../../store/reader.js'
import type { Scan, ScanOptions } from '../../store/scan.js'
import type { Encoded, Format, Handles } from './handles.js'
import { type LevelSnapshot, pointOf } from './level-snapshot.js'
import { Slices } from './slices.js'
import { Watermark } from './watermark.js'

/** The options of an iterator as the base class hands them down: bounds encoded, formats settled. */
export interface EncodedScanOptions extends RangeOptions<Encoded> {
  readonly reverse: boolean
  /** -1: no limit. */
  readonly limit: number
  readonly keyEncoding: Format
  readonly valueEncoding: Format
  readonly keys?: boolean
  readonly values?: boolean
  readonly highWaterMarkBytes?: unknown
  readonly snapshot?: LevelSnapshot | null
  readonly signal?: AbortSignal | null
}

/** The bounds alone: what else a caller passes to Level is none of the store's business. */
export function rangeOf({ gt, gte, lt, lte }: RangeOptions<Encoded>): RangeOptions<Encoded> {
  const range: RangeOptions<Encoded> = {}
  if (gt !== undefined) range.gt = gt
  if (gte !== undefined) range.gte = gte
  if (lt !== undefined) range.lt = lt
  if (lte !== undefined) range.lte = lte
  return range
}

/** Where a read with Level's options reads; `undefined`: where it would anyway. */
export function readPoint(snapshot: LevelSnapshot | null | undefined): ReadOptions | undefined {
  return snapshot === null || snapshot === undefined ? undefined : { snapshot: pointOf(snapshot) }
}

/** Level counts entries against the limit by itself, across seeks, so the store has none. */
function scanOptions(options: EncodedScanOptions): ScanOptions<Encoded> & ReadOptions {
  const { reverse, snapshot, signal } = options
  return { ...rangeOf(options), reverse, ...readPoint(snapshot), ...(signal ? { signal } : {}) }
}

type Entry = [Encoded | undefined, Encoded | undefined]

/** Walks over keys and values, or over one of them in the place it would have. */
export function scanEntries(handles: Handles, options: EncodedScanOptions): Slices<Entry> {
  const { keys = true, values = true } = options
  const handle = handles[options.keyEncoding][options.valueEncoding]
  const { keyEncoding, valueEncoding } = handle
  const mark = new Watermark(options.highWaterMarkBytes)
  const scan = handle.scan<Entry>(scanOptions(options), (at) => {
    let key: Encoded | undefined
    let value: Encoded | undefined
    if (keys) {
      mark.bytes += at.keyEnd - at.keyStart
      key = keyEncoding.read(at.keyBytes, at.keyStart, at.keyEnd)
    }
    if (values) {
      mark.bytes += at.valueEnd - at.valueStart
      value = valueEncoding.read(at.valueBytes, at.valueStart, at.valueEnd)
    }
    return [key, value]
  })
  return slicesOf(scan, mark, options)
}

/** Walks over keys; only their bytes count. */
export function scanKeys(handles: Handles, options: EncodedScanOptions): Slices<Encoded> {
  const handle = handles[options.keyEncoding][options.valueEncoding]
  const { keyEncoding } = handle
  const mark = new Watermark(options.highWaterMarkBytes)
  const scan = handle.scan(scanOptions(options), (at) => {
    mark.bytes += at.keyEnd - at.keyStart
    return keyEncoding.read(at.keyBytes, at.keyStart, at.keyEnd)
  })
  return slicesOf(scan, mark, options)
}

/** Walks over values, in the order of their keys; only their bytes count. */
export function scanValues(handles: Handles, options: EncodedScanOptions): Slices<Encoded> {
  const handle = handles[options.keyEncoding][options.valueEncoding]
  const { valueEncoding } = handle
  const mark = new Watermark(options.highWaterMarkBytes)
  const scan = handle.scan(scanOptions(options), (at) => {
    mark.bytes += at.valueEnd - at.valueStart
    return valueEncoding.read(at.valueBytes, at.valueStart, at.valueEnd)
  })
  return slicesOf(scan, mark, options)
}

function slicesOf<T>(scan: Scan<Encoded, T>, mark: Watermark, { signal }: EncodedScanOptions): Slices<T> {
  return new Slices(scan, mark, signal ?? undefined)
}
