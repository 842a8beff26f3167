import type { Engine } from '../store/engine.js'
import { commitChange, type Ledger } from './change.js'
import type { MessageLog } from './message-log.js'

/**
 * Tables go so long after nobody needs them any more. Each time takes a sync of the commit log, because a loss of power must not bring back
 * what acknowledged their messages; ten thousand queues that run empty one after the other share it.
 */
const DELAY_MS = 100

/** Drops the tables of queues, topics and logs that hold nothing but what is gone. */
export class TableSweeper {
  private readonly engine: Engine
  private readonly logs = new Set<MessageLog>()
  private cancel: (() => void) | undefined

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** Tables of this run lie wholly below its trim point, which a visible commit has moved there. */
  add(log: MessageLog, ledger: Ledger): void {
    this.logs.add(log)
    this.cancel ??= this.engine.clock.after(DELAY_MS, () => this.sweep(ledger))
  }

  private sweep(ledger: Ledger): void {
    this.cancel = undefined
    const found = [...this.logs].map((log) => [log, log.first] as const)
    this.logs.clear()
    try {
      // Any commit will do: it comes behind all those that moved the trim points.
      commitChange(this.engine, true, (change) => change.touch(ledger)).then(
        () => {
          for (const [log, first] of found) log.dropTables(first)
        },
        () => {},
      )
    } catch {
      // The store takes no writes now. The tables go with the next ones, or when the store is opened again.
    }
  }

  close(): void {
    this.cancel?.()
    this.logs.clear()
  }
}
