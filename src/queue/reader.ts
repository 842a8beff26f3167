import type { Entry } from './entry.js'
import type { Filter } from './handout.js'
import type { StoredMessage } from './message-format.js'

/** A message that a reader made of what is stored, or why it could not. */
export type Opened<M> =
  | { readonly message: M }
  | { readonly failure: string; readonly isFatal: boolean }
  /** The reader has no use for it: it is done with. */
  | { readonly isUnwanted: true }

/** Whoever receives: what it takes, and what it makes of it. */
export interface Reader<M> {
  /** Whether a message is handed to it at all. */
  readonly filter?: Filter | undefined
  /** What is handed out counts as acknowledged at once. */
  readonly isAtMostOnce?: boolean
  open(entry: Entry, stored: StoredMessage): Opened<M>
}
