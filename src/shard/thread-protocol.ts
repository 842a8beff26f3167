import type { MessagePort } from 'node:worker_threads'
import { SiltstoneError, type SiltstoneErrorCode } from '../bytes/errors.js'
import { isError, reasonOf } from '../bytes/reason.js'
import type { ShardStoreOptions } from './shard-store-options.js'

/*
 * What the thread of a shard is told and answers. Calls name an object (the shard, a point, a scan, a transaction) and a method of
 * it; the caller numbers the objects that a call makes, so that nobody waits for them. Messages are lists: all calls of one turn
 * travel together, and so do the answers. They are carried out in the order in which they were made.
 */

/** The shard itself; other objects have numbers above. */
export const SHARD_OBJECT = 0

export interface ThreadCall {
  /** 0 where nobody waits for an answer. */
  readonly id: number
  readonly object: number
  readonly method: string
  readonly args: readonly unknown[]
  /** The number that what the method returns gets. */
  readonly makes?: number
  /** The caller's thread stands still until the answer is there. */
  readonly urgent?: boolean
}

export interface ThreadAnswer {
  readonly id: number
  readonly value?: unknown
  readonly failure?: ThreadFailure
}

export interface ThreadFailure {
  readonly message: string
  readonly name: string
  readonly code: SiltstoneErrorCode | undefined
  readonly file: string | undefined
  readonly offset: number | undefined
  readonly pid: number | undefined
}

export interface ThreadStart {
  readonly port: MessagePort
  /** Of `ThreadSignals`: this thread sends, the caller's sleeps. */
  readonly signals: Int32Array
  readonly path: string
  readonly create: boolean
  readonly options: ShardStoreOptions
}

export function failureOf(error: unknown): ThreadFailure {
  if (error instanceof SiltstoneError) {
    const { name, message, code, file, offset, pid } = error
    return { name, message, code, file, offset, pid }
  }
  const name = isError(error) ? error.name : 'Error'
  return { name, message: reasonOf(error), code: undefined, file: undefined, offset: undefined, pid: undefined }
}

export function errorOf({ name, message, code, file, offset, pid }: ThreadFailure): Error {
  if (code === undefined) return Object.assign(new Error(message), { name })
  return new SiltstoneError(code, message, {
    ...(file === undefined ? {} : { file }),
    ...(offset === undefined ? {} : { offset }),
    ...(pid === undefined ? {} : { pid }),
  })
}

// Below this, cloning the bytes is cheaper than handing their memory over.
const WORTH_HANDING_OVER_BYTES = 4096

/** The memory of all larger byte arrays in a message, which is handed over instead of copied. Requires: nobody else uses it. */
export function memoryOf(value: unknown, found: ArrayBuffer[] = []): ArrayBuffer[] {
  if (value instanceof Uint8Array) {
    const { buffer } = value
    if (value.length >= WORTH_HANDING_OVER_BYTES && buffer instanceof ArrayBuffer && !found.includes(buffer))
      found.push(buffer)
  } else if (Array.isArray(value)) {
    for (const each of value) memoryOf(each, found)
  } else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) memoryOf(each, found)
  }
  return found
}
