import type { BatchPart } from '../store/batch-part.js'
import type { CommitOutcome } from '../store/commit-group.js'
import type { Engine } from '../store/engine.js'
import { commitWith, OperationList } from '../store/operation-list.js'
import { announce, isHeard, type QueueChannel, type QueueEvent } from './channels.js'

/** Something whose figures go along with every change of it. */
export interface Ledger {
  /** Its figures as they are; what `restore` takes. */
  save(): unknown
  restore(saved: never): void
  /** Writes the figures as they are now. */
  writeFigures(change: Change): void
}

/**
 * One commit of queues, topics and logs: what it writes, and what it changes in memory.
 *
 * What is in memory changes when the commit is issued, so that the next one builds on it; whoever changes something says how to take
 * it back. If the commit is refused, so is everything issued behind it, last first, and memory is what it was. What others may see or
 * be woken by belongs into `onCommitted`.
 */
export class Change implements CommitOutcome {
  readonly record: OperationList
  private readonly done: (() => void)[] = []
  private readonly undo: (() => void)[] = []
  private readonly ledgers: Ledger[] = []
  private readonly appends: Appended[] = []

  constructor(record: OperationList) {
    this.record = record
  }

  onCommitted(action: () => void): void {
    this.done.push(action)
  }

  onRefused(action: () => void): void {
    this.undo.push(action)
  }

  /** Says on a channel what happened, once it has. */
  announce(name: QueueChannel, event: () => QueueEvent): void {
    if (!isHeard(name)) return
    const told = event()
    this.done.push(() => announce(name, () => told))
  }

  /** The figures of a ledger are about to change: they are written with this commit. */
  touch(ledger: Ledger): void {
    if (this.ledgers.includes(ledger)) return
    this.ledgers.push(ledger)
    const saved = ledger.save()
    this.undo.push(() => ledger.restore(saved as never))
  }

  /** Messages were appended to a run: counted together, for one of a thousand would otherwise cost a closure each. */
  appended(run: Appendable, bytes: number): void {
    for (const each of this.appends) {
      if (each.run !== run) continue
      each.count++
      each.bytes += bytes
      return
    }
    const first: Appended = { run, count: 1, bytes }
    this.appends.push(first)
    this.undo.push(() => run.takeBack(first.count, first.bytes))
    this.done.push(() => run.show(first.count))
  }

  /** To be called behind the last change, before the record is closed. */
  finish(): void {
    for (const ledger of this.ledgers) ledger.writeFigures(this)
  }

  committed(): void {
    for (const action of this.done) action()
  }

  refused(): void {
    for (const action of this.undo.toReversed()) action()
  }
}

/** Something that messages are appended to. */
export interface Appendable {
  show(count: number): void
  takeBack(count: number, bytes: number): void
}

interface Appended {
  readonly run: Appendable
  count: number
  bytes: number
}

/** What `make` changes, as part of a commit. It is called again where the commit has to be made anew. */
export function changePart(engine: Engine, make: (change: Change) => void): BatchPart {
  let change: Change | undefined
  return {
    engine,
    add: (operations) => {
      change = new Change(operations)
      make(change)
      change.finish()
    },
    committed: () => change!.committed(),
    refused: () => change!.refused(),
  }
}

/** Commits what `make` changes. Throws what `make` throws, and then nothing was changed. */
export function commitChange(engine: Engine, sync: boolean, make: (change: Change) => void): Promise<void> {
  return commitWith(engine.pipeline, new OperationList(), changePart(engine, make), sync)
}
