import { whenResident } from '../table/rounds.js'
import type { Engine } from './engine.js'

/** What `read` returns, without a wait of this thread for the disk; closing the store waits for it. */
export async function slowRead<T>(engine: Engine, read: () => T): Promise<T> {
  engine.slowReadBegins()
  try {
    return await whenResident(engine.cache, read)
  } finally {
    engine.slowReadEnds()
  }
}
