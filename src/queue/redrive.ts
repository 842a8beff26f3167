import { commitChange } from './change.js'
import type { Delivery } from './delivery.js'
import type { FoundLetter } from './letter.js'
import { encodeMessage } from './message-format.js'

// So many commits are issued before the first is waited for: they share a write.
const TOGETHER = 64

/** Brings what died in a queue back from where its dead letters are. Each letter moves in a commit of its own. */
export async function redriveLetters(queue: Delivery, max: number): Promise<number> {
  const { name, deadLetters: dead } = queue
  if (dead === undefined) return 0
  let count = 0
  let issued: Promise<void>[] = []
  while (count < max && dead.stock.deathsIn(name) > 0) {
    if (!dead.handout.fillResident(1)) await dead.handout.fill(1)
    const letter = dead.removals.findLetter(name)
    if (letter === undefined) break
    if (letter === 'passed') continue
    issued.push(moveBack(queue, dead, letter))
    count++
    if (issued.length < TOGETHER) continue
    await Promise.all(issued)
    issued = []
  }
  await Promise.all(issued)
  return count
}

function moveBack(queue: Delivery, dead: Delivery, { id, stored, remove }: FoundLetter): Promise<void> {
  const priority = stored.history?.priority ?? 0
  // It has not expired by lying among the dead.
  const message = encodeMessage({ ...stored.parts(), expiresAt: 0, history: { id, priority } })
  return commitChange(queue.post.engine, queue.post.sync, (change) => {
    change.touch(dead.stock)
    change.touch(queue.stock)
    remove(change)
    dead.stock.tally.acked++
    queue.append(change, priority, message, 0)
  })
}
