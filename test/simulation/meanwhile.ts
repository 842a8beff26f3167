import type { ManualClock } from './manual-clock.js'

/**
 * Lets time go on, a millisecond with each turn of the loop, while something is waited for: a store whose clock stands still never
 * takes up a pause that it makes. Ends early where `isOver` says that nothing more is going to happen.
 */
export async function meanwhile<T>(
  clock: ManualClock,
  promise: Promise<T>,
  isOver: () => boolean = () => false,
): Promise<T | undefined> {
  let isSettled = false
  const settled = promise.finally(() => {
    isSettled = true
  })
  settled.catch(() => {})
  while (!isSettled) {
    if (isOver()) return undefined
    await new Promise(setImmediate)
    clock.advance(1)
  }
  return settled
}
