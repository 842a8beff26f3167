// Any period will do; nothing happens when it is over.
const PERIOD_MS = 2 ** 30

/**
 * Keeps the process running until the promise settles. Workers and timers of the store never do, so that a store left open holds
 * nobody back; but what somebody waits for has to be waited for.
 */
export async function keepAlive<T>(promise: Promise<T>): Promise<T> {
  const release = holdProcess()
  try {
    return await promise
  } finally {
    release()
  }
}

/** The same until the returned function is called. */
export function holdProcess(): () => void {
  const timer = setInterval(() => {}, PERIOD_MS)
  return () => clearInterval(timer)
}
