import { loadHash } from '../../../src/bytes/hash.js'
import { getU32 } from '../../../src/bytes/integers.js'
import type { FileNumber } from '../../../src/bytes/units.js'
import { readWholeFile } from '../../../src/fs/whole-file.js'
import { salvageLog } from '../../../src/log/log-salvage.js'
import {
  KIND_DELETE,
  KIND_PUT,
  KIND_PUT_EXPIRING,
  KIND_RANGE_DELETE,
  KIND_TREE,
  operationEnd,
  operationExpiresAt,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
} from '../../../src/log/operation.js'
import { RECORD_HEADER_BYTES, recordCount, recordSynced } from '../../../src/log/record.js'
import { Failure } from '../failure.js'
import { jsonField } from '../notation.js'
import { unlockedDisk } from '../unlocked-disk.js'
import type { DumpedRecord } from './dumped-record.js'

const KINDS: Record<number, string> = {
  [KIND_PUT]: 'put',
  [KIND_PUT_EXPIRING]: 'put',
  [KIND_DELETE]: 'del',
  [KIND_RANGE_DELETE]: 'clear',
  [KIND_TREE]: 'tree',
}

/** Every sound record of a segment and its operations, and the damaged places between them. */
export async function* dumpLog(path: string, number: FileNumber): AsyncGenerator<DumpedRecord> {
  await loadHash()
  const bytes = readWholeFile(unlockedDisk, path)
  if (bytes === undefined) throw new Failure(`There is no file ${path}; check the path`)
  const log = await salvageLog(bytes, number, path, async () => {})
  if (log.header !== undefined) yield { record: 'header', ...log.header, magic: log.header.magic.trim() }
  else yield { record: 'damage', offset: 0, problem: log.headerProblem?.message ?? 'the header was never written' }
  const holes = [...log.holes]
  for (const offset of log.records) {
    while (holes[0] !== undefined && holes[0].offset < offset) yield { record: 'damage', ...holes.shift() }
    yield {
      record: 'commit',
      offset,
      bytes: getU32(bytes, offset + 4),
      position: log.base! + offset,
      synced: recordSynced(bytes, offset),
      operations: recordCount(bytes, offset),
    }
    yield* operationsOf(bytes, offset)
  }
  if (log.hasTornEnd) yield { record: 'torn', offset: log.end, bytes: bytes.length - log.end }
}

function* operationsOf(bytes: Uint8Array, start: number): Generator<DumpedRecord> {
  let at = start + RECORD_HEADER_BYTES
  for (let left = recordCount(bytes, start); left > 0; left--) {
    const kind = operationKind(bytes, at)
    const keyStart = operationKeyStart(bytes, at)
    const valueStart = keyStart + operationKeyLength(bytes, at)
    const end = operationEnd(bytes, at)
    const key = jsonField(bytes.subarray(keyStart, valueStart), 'text')
    const value = jsonField(bytes.subarray(valueStart, end), 'text')
    const tree = operationTree(bytes, at)
    if (kind === KIND_DELETE) yield { record: 'del', tree, key }
    else if (kind === KIND_RANGE_DELETE) yield { record: 'clear', tree, gte: key, lt: end > valueStart ? value : null }
    else {
      const expiresAt = operationExpiresAt(bytes, at)
      yield { record: KINDS[kind] ?? `kind ${kind}`, tree, key, value, ...(expiresAt === 0 ? {} : { expiresAt }) }
    }
    at = end
  }
}
