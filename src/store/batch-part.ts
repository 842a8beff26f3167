import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { Engine } from './engine.js'
import type { Contribution, OperationList } from './operation-list.js'

/*
 * What a batch knows of floors above it: things that take part in its commit. A message to be sent and one to be acknowledged
 * are such parts.
 */

/** Something whose operations go into the same record as those of a batch. */
export interface BatchPart extends Contribution {
  /** The store it belongs to. */
  readonly engine: Engine
}

/** What a message may be sent with. */
export interface MessageOptions {
  /** Milliseconds before it can be received. */
  delay?: number
  /** Milliseconds after which nobody needs it any more. */
  ttl?: number
  /** A second message with the same one within the queue's `dedupWindow` is not sent. */
  dedupId?: string
  /** Messages of one group keep their order in a queue with `ordering: 'group'`. */
  group?: string
  /** Higher goes first (default 0). */
  priority?: number
  /** What goes along with the body: anything that JSON holds. */
  headers?: Record<string, unknown>
}

/** Somewhere to send messages to: a queue or a topic. */
export interface MessageTarget<T, Options = MessageOptions> {
  /** @internal */
  partOfSend(body: T, options: Options | undefined): BatchPart
}

/** A message that was received and can be acknowledged. */
export interface Acknowledgeable {
  /** @internal */
  partOfAck(): BatchPart
}

/** Throws where a message was received from another store, or before this one was opened again. */
export function checkReceivedFrom(engine: Engine, source: Engine): void {
  if (source === engine) return
  if (source.forest.storeId !== engine.forest.storeId) {
    throw invalid('A message is settled in the store that it was received from, and this one is of another store')
  }
  throw new SiltstoneError(
    'SILT_STALE_RECEIPT',
    'This message was received before the store was opened again, and closing gave it back; receive it again to settle it',
  )
}

/** Several parts as one: told in order of what was committed, and in reverse of what has to be taken back. */
export function together(parts: readonly BatchPart[]): Contribution {
  // Of parts of which one could not be added only those before it have anything to take back.
  let added = 0
  return {
    add: (operations: OperationList) => {
      for (added = 0; added < parts.length; added++) parts[added]!.add(operations)
    },
    committed: () => {
      for (const part of parts) part.committed()
    },
    refused: (error) => {
      for (const part of parts.slice(0, added + 1).reverse()) part.refused(error)
    },
  }
}
