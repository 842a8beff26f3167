import { type Change, commitChange } from './change.js'
import type { Delivery } from './delivery.js'
import { addressed, type Letter } from './letter.js'

/** Takes a message out of a queue and puts it where its dead letters go, in one commit. */
export function bury(from: Delivery, letter: Letter, sync: boolean, leave: (change: Change) => void): Promise<void> {
  const dead = from.deadLetters
  if (dead === undefined) {
    return from.stock.commit(sync, (change) => {
      leave(change)
      from.stock.tally.deadLettered++
    })
  }
  const message = addressed(letter)
  return commitChange(from.post.engine, sync, (change) => {
    change.touch(from.stock)
    leave(change)
    from.stock.tally.deadLettered++
    layDown(change, dead, letter, message)
  })
}

/** Adds a dead letter to the queue that keeps it. */
export function layDown(change: Change, dead: Delivery, letter: Letter, message: Uint8Array): void {
  change.touch(dead.stock)
  dead.stock.rememberDeath(letter.deadLetter.queue)
  dead.append(change, 0, message, 0)
}
