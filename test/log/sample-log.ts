import { loadHash } from '../../src/bytes/hash.js'
import type { FileHandle, FileSystem } from '../../src/fs/file-system.js'
import { CommitLog, createSegment } from '../../src/log/commit-log.js'
import type { LogHeaderPlan } from '../../src/log/log-header.js'
import { RECORD_HEADER_BYTES } from '../../src/log/record.js'
import { type RecoveredLog, type RecoveryRequest, recoverLog } from '../../src/log/recovery.js'
import type { Segment } from '../../src/log/segment.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

await loadHash()

export const STORE = 4711
const CAPACITY = 4096

export function newDisk(seed = 1): SimulatedDisk {
  const disk = new SimulatedDisk(seed)
  disk.makeDirectorySync('/db')
  disk.syncDirectorySync('/')
  return disk
}

export function logPath(number: number): string {
  return `/db/${number}.log`
}

export function newSegment(fs: FileSystem, number: number, header: Partial<LogHeaderPlan> = {}): Segment {
  return createSegment(fs, logPath(number), {
    magic: 'SILTLOG\n',
    number,
    base: 0,
    previousEnd: header.base ?? 0,
    capacity: CAPACITY,
    lastEdit: 0,
    createdAt: 1_700_000_000_000,
    storeId: STORE,
    ...header,
  })
}

export function newLog(fs: FileSystem, header: Partial<LogHeaderPlan> = {}): CommitLog {
  return new CommitLog(fs, '/db', newSegment(fs, 1, header), 0)
}

/** Encodes a record that holds a text, without writing it. */
export function encode(log: CommitLog, payload: string): void {
  const start = log.beginRecord(payload.length)
  log.active.bytes.set(Buffer.from(payload), start)
  log.endRecord(start + payload.length, 1)
}

/** Encodes a record and writes it. */
export function append(log: CommitLog, payload: string): void {
  encode(log, payload)
  log.writePending()
}

/** Goes on in a segment with the next number. */
export function rotate(log: CommitLog, fs: FileSystem, header: Partial<LogHeaderPlan> = {}): Segment {
  return log.rotate(newSegment(fs, log.active.number + 1, { base: log.end, ...header }))
}

/** The segments that a directory holds, read as after a restart. */
export function recover(fs: FileSystem, request: Partial<RecoveryRequest> = {}): RecoveredLog {
  const numbers = fs
    .listSync('/db')
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b)
  return recoverLog({
    fs,
    files: numbers.map((number) => ({ number, path: logPath(number) })),
    storeId: STORE,
    lastEdit: 0,
    knownSynced: 0,
    room: 0,
    strict: false,
    live: false,
    ...request,
  })
}

/** The texts of all records, in order. */
export function payloads(log: RecoveredLog): string[] {
  return log.segments.flatMap(({ segment, records }) =>
    records.map((offset, i) => {
      const end = records[i + 1] ?? segment.end
      return Buffer.from(segment.bytes.slice(offset + RECORD_HEADER_BYTES, end)).toString()
    }),
  )
}

export function numbersOf(log: RecoveredLog): number[] {
  return log.segments.map(({ segment }) => segment.number)
}

/** Overwrites a part of a file, for good. */
export function overwrite(disk: SimulatedDisk, path: string, offset: number, bytes: Uint8Array): void {
  withFile(disk, path, (file) => {
    file.writeSync(bytes, 0, bytes.length, offset)
    file.syncSync()
  })
}

export function withFile<T>(disk: SimulatedDisk, path: string, use: (file: FileHandle) => T): T {
  const file = disk.openSync(path, 'update')
  try {
    return use(file)
  } finally {
    file.closeSync()
  }
}
