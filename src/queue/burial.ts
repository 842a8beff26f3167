import { type Change, commitChange } from './change.js'
import type { Delivery } from './delivery.js'
import { LEAVE_BYTE_BOUND } from './departures.js'
import { addressed, type Letter } from './letter.js'
import { appendByteBound } from './message-log.js'

/** Takes a message out of a queue and puts it where its dead letters go, in one commit. */
export function bury(from: Delivery, letter: Letter, sync: boolean, leave: (change: Change) => void): Promise<void> {
  const dead = from.deadLetters
  if (dead === undefined) {
    return from.stock.commit(LEAVE_BYTE_BOUND, sync, (change) => {
      leave(change)
      from.stock.tally.deadLettered++
    })
  }
  const message = addressed(letter)
  const bound = LEAVE_BYTE_BOUND + from.stock.figuresByteBound + burialByteBound(dead, letter, message)
  return commitChange(from.post.engine, bound, sync, (change) => {
    change.touch(from.stock)
    leave(change)
    from.stock.tally.deadLettered++
    layDown(change, dead, letter, message)
  })
}

/** Room that laying a letter down takes in a record. */
export function burialByteBound(dead: Delivery, letter: Letter, message: Uint8Array): number {
  const name = letter.deadLetter.queue.length * 6
  return appendByteBound(message) + dead.appendByteBound(0) + dead.stock.figuresByteBound + name
}

/** Adds a dead letter to the queue that keeps it. */
export function layDown(change: Change, dead: Delivery, letter: Letter, message: Uint8Array): void {
  change.touch(dead.stock)
  dead.stock.rememberDeath(letter.deadLetter.queue)
  dead.append(change, 0, message, 0)
}
