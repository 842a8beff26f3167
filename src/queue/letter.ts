import type { Change } from './change.js'
import { type DeadLetter, encodeMessage, type StoredMessage } from './message-format.js'

/** A message that died, and what is known about that. */
export interface Letter {
  readonly id: string
  readonly stored: StoredMessage
  readonly priority: number
  readonly deadLetter: DeadLetter
}

/** A dead letter as it is stored: it keeps its id, and its signature stays good. */
export function addressed({ id, stored, priority, deadLetter }: Letter): Uint8Array {
  return encodeMessage({ ...stored.parts(), expiresAt: 0, history: { id, priority, deadLetter } })
}

/** A dead letter that can be taken out of where it lies. */
export interface FoundLetter {
  readonly id: string
  readonly stored: StoredMessage
  remove(change: Change): void
}
