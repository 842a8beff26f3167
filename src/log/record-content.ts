import { getU32 } from '../bytes/integers.js'
import { getText } from '../bytes/text.js'
import {
  HIGHEST_TREE,
  KIND_DELETE,
  KIND_PUT,
  KIND_PUT_EXPIRING,
  KIND_RANGE_DELETE,
  KIND_TREE,
  LONGEST_VALUE_BYTES,
  operationBytes,
  operationEnd,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
  operationValueLength,
} from './operation.js'
import { RECORD_HEADER_BYTES, recordCount } from './record.js'

const KINDS: ReadonlySet<number> = new Set([KIND_PUT, KIND_PUT_EXPIRING, KIND_DELETE, KIND_RANGE_DELETE, KIND_TREE])

/** Operations that cannot be what a store wrote, though the checksum over them is right. */
export interface ContentProblem {
  /** Of the operation. */
  readonly offset: number
  readonly problem: string
}

/** What is wrong with the operations of a sound record of the commit log, if anything is: the one judgement of open and repair. */
export function contentProblem(bytes: Uint8Array, record: number): ContentProblem | undefined {
  const end = record + getU32(bytes, record + 4)
  const count = recordCount(bytes, record)
  let offset = record + RECORD_HEADER_BYTES
  if (count === 0) return { offset: record, problem: 'a record says that it holds nothing' }
  for (let left = count; left > 0; left--) {
    const problem = operationProblem(bytes, offset, end)
    if (problem !== undefined) return { offset, problem }
    offset = operationEnd(bytes, offset)
  }
  return offset === end
    ? undefined
    : { offset, problem: `a record has ${end - offset} bytes behind its ${count} operations` }
}

function operationProblem(bytes: Uint8Array, offset: number, end: number): string | undefined {
  if (offset + operationBytes(KIND_PUT, 0, 0) > end) return 'a record ends before the last of its operations'
  const kind = operationKind(bytes, offset)
  if (!KINDS.has(kind)) return `an operation is of an unknown kind (${kind})`
  const tree = operationTree(bytes, offset)
  if (tree > HIGHEST_TREE) return `an operation names keyspace number ${tree}, which no store has`
  if (operationValueLength(bytes, offset) > LONGEST_VALUE_BYTES) return 'a value is longer than any value can be'
  if (operationEnd(bytes, offset) > end) return 'an operation is longer than the record that it stands in'
  return kind === KIND_TREE ? treeProblem(bytes, offset) : undefined
}

function treeProblem(bytes: Uint8Array, offset: number): string | undefined {
  const start = operationKeyStart(bytes, offset) + operationKeyLength(bytes, offset)
  try {
    const options = JSON.parse(getText(bytes, start, operationEnd(bytes, offset))) as unknown
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) return undefined
  } catch {
    // Said below.
  }
  return 'the options of a keyspace cannot be read'
}
