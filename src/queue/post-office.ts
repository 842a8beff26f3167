import type { Clock } from '../bytes/clock.js'
import { SiltstoneError } from '../bytes/errors.js'
import type { Engine } from '../store/engine.js'
import { internalName } from '../store/internal-trees.js'
import type { TreeState } from '../store/tree-state.js'
import { type Change, commitChange } from './change.js'
import { Delivery } from './delivery.js'
import { closedError } from './dispatcher.js'
import type { StopOptions } from './handler-loop.js'
import { Mailbox } from './mailbox.js'
import type { MessageLog } from './message-log.js'
import type { Office, OwnerKind } from './office.js'
import { Registration } from './registration.js'
import { Repetitions } from './repetition.js'
import { deadLetterRules, defaultRules, type Rules, storedRules } from './rules.js'
import { KIND_NAME, KIND_RULES, kindRange, LAST_OWNER, REGISTRY, stateKey, textKey, textOf } from './state-keys.js'
import { senseless } from './stored-bytes.js'
import { StoredRun } from './stored-run.js'
import { TableSweeper } from './table-sweeper.js'
import { TreeReader } from './tree-reader.js'

/** All queues, topics and logs of one open store: each has one state here, however many handles there are on it. */
export class PostOffice implements Office {
  readonly engine: Engine
  readonly state: TreeState
  readonly reader: TreeReader
  readonly sweeper: TableSweeper
  /** The store's default durability. */
  readonly sync: boolean
  private readonly mailboxes = new Map<string, Mailbox>()
  private readonly runs = new Map<string, StoredRun>()
  private readonly repetitionsOf = new Map<string, Repetitions>()
  private names: Map<string, number> | undefined
  private nextNumber = 1
  private isClosed = false

  constructor(engine: Engine, sync: boolean) {
    this.engine = engine
    this.sync = sync
    this.state = engine.tree(internalName('queues'), {})
    this.reader = new TreeReader(engine, this.state)
    this.sweeper = new TableSweeper(engine)
  }

  get clock(): Clock {
    return this.engine.clock
  }

  get isWritable(): boolean {
    return !this.isClosed && this.engine.log !== undefined
  }

  /** The queue of that name. */
  queue(name: string, rules: Rules | undefined): Mailbox {
    return this.mailbox('queue', name, rules ?? defaultRules(name), undefined)
  }

  /** The subscription of that name to a topic; its own name is 'topic/subscription'. */
  subscription(name: string, source: MessageLog, rules: Rules): Mailbox {
    return this.mailbox('subscription', name, rules, source)
  }

  private mailbox(kind: OwnerKind, name: string, rules: Rules, source: MessageLog | undefined): Mailbox {
    const key = `${kind}:${name}`
    const present = this.mailboxes.get(key)
    if (present !== undefined) return present
    const { number, isNew } = this.numberOf(key)
    const stored = isNew ? undefined : this.reader.get(stateKey(number, KIND_RULES))
    const known = stored === undefined ? rules : ({ ...rules, ...storedRules(stored, key) } as Rules)
    const registration = new Registration(this, kind, name, number, known, stored !== undefined)
    const delivery = new Delivery(registration, source, (dead) => this.queue(dead, deadLetterRules(dead)).delivery)
    const mailbox = new Mailbox(delivery)
    delivery.stock.load()
    this.mailboxes.set(key, mailbox)
    this.keepNumber(number)
    mailbox.dispatcher.armSweep()
    return mailbox
  }

  /** The run of messages of a log or a topic. */
  run(kind: 'log' | 'topic', name: string): StoredRun {
    const key = `${kind}:${name}`
    const present = this.runs.get(key)
    if (present !== undefined) return present
    const run = new StoredRun(this, kind, name, this.numberOf(key).number)
    this.runs.set(key, run)
    this.keepNumber(run.number)
    return run
  }

  /** What a queue sends by itself again and again. */
  repetitions(mailbox: Mailbox): Repetitions {
    const { name } = mailbox.delivery
    let repetitions = this.repetitionsOf.get(name)
    if (repetitions === undefined) this.repetitionsOf.set(name, (repetitions = new Repetitions(mailbox)))
    return repetitions
  }

  /** Forgets whose a number is; its state has to go in the same commit. */
  eraseName(change: Change, kind: OwnerKind, name: string): void {
    const key = `${kind}:${name}`
    change.record.del(this.state, textKey(REGISTRY, KIND_NAME, key))
    const mailbox = this.mailboxes.get(key)
    this.mailboxes.delete(key)
    const number = this.registry().get(key)
    this.registry().delete(key)
    change.onRefused(() => {
      if (mailbox !== undefined) this.mailboxes.set(key, mailbox)
      if (number !== undefined) this.registry().set(key, number)
    })
  }

  /** The names of one kind that were ever written down. */
  namesOf(kind: OwnerKind): string[] {
    const prefix = `${kind}:`
    return [...this.registry().keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
  }

  private registry(): Map<string, number> {
    if (this.names !== undefined) return this.names
    const names = new Map<string, number>()
    if (this.state.tree !== undefined) {
      for (const { key, value } of this.reader.all(kindRange(REGISTRY, KIND_NAME))) {
        const number = Number(Buffer.from(value).toString())
        if (!Number.isSafeInteger(number) || number < 1 || number > LAST_OWNER) {
          throw senseless(`The number of ${textOf(key)}`, 0, 'it is none')
        }
        names.set(textOf(key), number)
        this.keepNumber(number)
      }
    }
    this.names = names
    return this.names
  }

  /** It has that number from here on: all that may fail is behind it. */
  private keepNumber(number: number): void {
    this.nextNumber = Math.max(this.nextNumber, number + 1)
  }

  /** The number of an owner. One that has none is given the next one, which is written down with its first commit. */
  private numberOf(key: string): { number: number; isNew: boolean } {
    const known = this.registry().get(key)
    if (known !== undefined) return { number: known, isNew: false }
    if (this.nextNumber > LAST_OWNER) {
      throw new SiltstoneError('SILT_FULL', `No number is left for ${key}: the store has had ${LAST_OWNER} queues`)
    }
    return { number: this.nextNumber, isNew: true }
  }

  /** Writes down which number is whose. */
  recordName(change: Change, kind: OwnerKind, name: string, number: number): void {
    const key = `${kind}:${name}`
    change.record.put(this.state, textKey(REGISTRY, KIND_NAME, key), String(number))
    change.onCommitted(() => this.registry().set(key, number))
  }

  /** A reader was moved on: what is known of the store is read again when it is asked for. */
  refresh(): void {
    for (const mailbox of this.mailboxes.values()) mailbox.dispatcher.close(closedError())
    this.mailboxes.clear()
    this.runs.clear()
    this.names = undefined
  }

  /** Workers let their handlers finish, for as long as the options say. A later call with less time is heeded. */
  async stopWorkers(options: StopOptions): Promise<void> {
    await Promise.all([...this.mailboxes.values()].map((mailbox) => mailbox.stopWorkers(options)))
  }

  /** Whoever waits is told. */
  async close(): Promise<void> {
    if (this.isClosed) return
    const behind = this.isWritable ? this.recordRules() : Promise.resolve()
    this.isClosed = true
    this.sweeper.close()
    for (const repetitions of this.repetitionsOf.values()) repetitions.close()
    for (const mailbox of this.mailboxes.values()) mailbox.close(closedError())
    for (const run of this.runs.values()) run.close()
    await behind
  }

  /**
   * Rules that were given in a commit that was refused, without one behind it that would have carried them; and what
   * time it is in queues where something waits for its time: the wall clock may be set before the next opening.
   */
  private async recordRules(): Promise<void> {
    const stocks = [...this.mailboxes.values()].map(({ delivery }) => delivery.stock)
    const ledgers = [
      ...stocks.filter((stock) => stock.registration.isBehind || stock.isTimeBehind),
      ...[...this.runs.values()].filter((run) => !run.isRetentionRecorded),
    ]
    for (const ledger of ledgers) {
      await commitChange(this.engine, this.sync, (change) => change.touch(ledger))
    }
  }
}
