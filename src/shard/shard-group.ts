import { SiltstoneError } from '../bytes/errors.js'
import type { CheckpointReport } from '../store/checkpoint.js'
import type { Isolation } from '../store/transaction.js'
import type { VerifyReport } from '../store/verify/verification.js'
import type { KeyRange } from '../tree/key-range.js'
import type { TreeOptions } from '../tree/tree-options.js'
import { crossShard } from './cross-shard.js'
import { GroupMail } from './group-mail.js'
import { GroupPoint } from './group-point.js'
import { GroupReads } from './group-reads.js'
import { GroupTransaction } from './group-transaction.js'
import type { MailOperation } from './mail.js'
import type { MailRoutes } from './mail-routes.js'
import type { Ownership } from './ownership.js'
import type {
  Row,
  Shard,
  ShardFigures,
  ShardOperation,
  ShardPoint,
  ShardReads,
  ShardTransaction,
  ShardWriteOptions,
} from './shard.js'

type Bytes = Uint8Array

/** A shard of the group, what it was asked since the store was opened, and who still reads from it. */
class Member {
  readonly shard: Shard
  reads = 0
  writes = 0
  holders = 0
  /** Set when it has left: closes it as soon as nobody reads from it. */
  onFree: (() => void) | undefined

  constructor(shard: Shard) {
    this.shard = shard
  }
}

/** What of a write goes to one shard. */
interface Part {
  readonly keys: ShardOperation[]
  readonly mail: MailOperation[]
}

const NO_MAIL: readonly MailOperation[] = []

/** What ends before the shards do, and what after them. */
export interface CloseHooks {
  /** A shard that was kept for its messages has none any more. */
  onEmptied(name: string, shard: Shard): void
  /** Of the directory of ownership. */
  checkpoint(directory: string): Promise<CheckpointReport>
  verify(): Promise<VerifyReport>
  beforeClose(): Promise<void>
  afterClose(): Promise<void>
}

/** Hears of every write, in the turn in which it is issued: a move has to know. */
export type WriteObserver = (operations: readonly ShardOperation[]) => void

/**
 * Shards behind the surface of one: every operation goes to the owner of its key. All the state is who owns what (`ownership`), which
 * a move replaces step by step; reads and writes look at it once, in the turn in which they are called.
 */
export class ShardGroup extends GroupReads implements Shard {
  private readonly members = new Map<string, Member>()
  private readonly declared = new Map<string, TreeOptions>()
  private owned: Ownership
  observer: WriteObserver | undefined
  private readonly hooks: CloseHooks
  private closing: Promise<void> | undefined
  readonly mail: GroupMail
  readonly storeId: string

  constructor(
    storeId: string,
    ownership: Ownership,
    shards: ReadonlyMap<string, Shard>,
    routes: MailRoutes,
    hooks: CloseHooks,
  ) {
    super()
    this.storeId = storeId
    this.mail = new GroupMail(routes, {
      placement: () => this.owned.placement,
      names: () => this.names(),
      shard: (name) => this.shard(name),
      checkOpen: () => this.checkOpen(),
      onEmptied: (name, shard) => hooks.onEmptied(name, shard),
    })
    this.owned = ownership
    this.hooks = hooks
    for (const [name, shard] of shards) this.members.set(name, new Member(shard))
  }

  get ownership(): Ownership {
    return this.owned
  }

  /** From this turn on keys belong to whom this says. */
  own(ownership: Ownership): void {
    this.owned = ownership
  }

  join(name: string, shard: Shard): void {
    for (const [space, options] of this.declared) shard.declare(space, options)
    this.members.set(name, new Member(shard))
    this.mail.joined(name)
  }

  /** Takes a shard out. Resolves when nobody reads from it any more; it is not closed. */
  leave(name: string): Promise<void> {
    const member = this.members.get(name)!
    this.members.delete(name)
    if (member.holders === 0) return Promise.resolve()
    return new Promise((resolve) => {
      member.onFree = resolve
    })
  }

  shard(name: string): Shard {
    return this.member(name).shard
  }

  /** A shard that is there, unless the directory names others than it has places for. */
  private member(name: string): Member {
    const member = this.members.get(name)
    if (member !== undefined) return member
    throw new SiltstoneError(
      'SILT_CORRUPTION',
      `The directory of ownership speaks of shard '${name}', which is not there; restore it from a backup`,
    )
  }

  names(): readonly string[] {
    return [...this.members.keys()]
  }

  load(name: string): { reads: number; writes: number } {
    const { reads, writes } = this.member(name)
    return { reads, writes }
  }

  checkOpen(): void {
    if (this.closing !== undefined) {
      throw new SiltstoneError('SILT_NOT_OPEN', 'The sharded store is closed; open it again to use it')
    }
  }

  // Reads.

  protected readsOf(name: string, keyCount: number): ShardReads {
    this.checkOpen()
    const member = this.member(name)
    member.reads += keyCount
    return member.shard
  }

  protected cut(): void {
    this.drain()
  }

  protected hold(): () => void {
    const held = [...this.members.values()]
    for (const member of held) member.holders++
    return () => {
      for (const member of held) if (--member.holders === 0) member.onFree?.()
    }
  }

  /** All shards in one turn, with everything visible that was issued before. */
  snapshot(): ShardPoint {
    this.checkOpen()
    this.cut()
    const release = this.hold()
    const points = new Map([...this.members].map(([name, { shard }]) => [name, shard.snapshot()]))
    return new GroupPoint(this.owned, points, release)
  }

  rowsSync(space: string, keys: readonly Bytes[]): (Row | undefined)[] {
    return keys.map((key) => this.shard(this.owned.ownerOf(space, key)).rowsSync(space, [key])[0])
  }

  rows(space: string, keys: readonly Bytes[]): Promise<(Row | undefined)[]> {
    return Promise.all(
      keys.map(async (key) => (await this.shard(this.owned.ownerOf(space, key)).rows(space, [key]))[0]),
    )
  }

  drain(): void {
    for (const { shard } of this.members.values()) shard.drain()
  }

  // Writes.

  async write(
    operations: readonly ShardOperation[],
    options: ShardWriteOptions,
    mail: readonly MailOperation[] = NO_MAIL,
  ): Promise<void> {
    const parts = this.issue(operations, options, mail)
    // All parts are issued in one turn, so that a cut sees all of them or none.
    await Promise.all([...parts].map(([name, part]) => this.mail.shard(name).write(part.keys, options, part.mail)))
    // A kept shard may have given its last message away.
    if (mail.length > 0 && [...parts.keys()].some((name) => this.mail.isEmptying(name))) this.mail.sweep()
  }

  writeSync(
    operations: readonly ShardOperation[],
    options: ShardWriteOptions,
    mail: readonly MailOperation[] = NO_MAIL,
  ): void {
    for (const [name, part] of this.issue(operations, options, mail)) {
      this.mail.shard(name).writeSync(part.keys, options, part.mail)
    }
  }

  begin(isolation: Isolation): ShardTransaction {
    this.checkOpen()
    return new GroupTransaction(
      {
        ownership: () => this.owned,
        shard: (name) => this.shard(name),
        note: (operations) => this.observer?.(operations),
      },
      isolation,
    )
  }

  /** Sends each operation where it belongs, and tells whoever follows. */
  private issue(
    operations: readonly ShardOperation[],
    { atomic }: ShardWriteOptions,
    mail: readonly MailOperation[],
  ): Map<string, Part> {
    this.checkOpen()
    const parts = new Map<string, Part>()
    const partOf = (name: string): Part => {
      let part = parts.get(name)
      if (part === undefined) parts.set(name, (part = { keys: [], mail: [] }))
      return part
    }
    const add = (name: string, operation: ShardOperation): void => void partOf(name).keys.push(operation)
    for (const operation of operations) {
      const { space, key } = operation
      if (operation.type === 'clear') for (const name of this.members.keys()) add(name, operation)
      else add(this.owned.ownerOf(space, key), operation)
    }
    const placed = mail.map((operation) => this.mail.place(operation))
    for (const { shard, operation } of placed) if (shard !== undefined) partOf(shard).mail.push(operation)
    // What may go anywhere goes along with the rest.
    const anywhere = [...parts.keys()].at(0) ?? (mail.length > 0 ? this.mail.anyShard() : '')
    for (const { shard, operation } of placed) if (shard === undefined) partOf(anywhere).mail.push(operation)
    const isClear = operations.length === 1 && operations[0]!.type === 'clear'
    if (atomic && parts.size > 1 && !isClear) throw crossShard('The batch', [...parts.keys()])
    for (const [name, part] of parts) {
      const member = this.members.get(name)
      if (member !== undefined) member.writes += part.keys.length + part.mail.length
    }
    this.observer?.(operations)
    return parts
  }

  // The whole.

  declare(space: string, options: TreeOptions): void {
    this.checkOpen()
    for (const { shard } of this.members.values()) shard.declare(space, options)
    this.declared.set(space, options)
  }

  spaces(): string[] {
    this.checkOpen()
    return [...new Set([...this.members.values()].flatMap(({ shard }) => shard.spaces()))].sort()
  }

  figures(): ShardFigures {
    const each = [...this.members.values()].map(({ shard }) => shard.figures())
    return {
      keys: each.reduce((sum, { keys }) => sum + keys, 0),
      bytes: each.reduce((sum, { bytes }) => sum + bytes, 0),
    }
  }

  /**
   * Every shard and the directory, all as of this call: what a crash in this moment would leave, so keys that are moving go on moving in
   * the copy.
   */
  async checkpoint(directory: string): Promise<CheckpointReport> {
    this.checkOpen()
    this.drain()
    const own = this.hooks.checkpoint(directory)
    const names = [...new Set([...this.names(), ...this.mail.shardNames()])]
    const reports = await Promise.all([
      own,
      ...names.map((name) => this.mail.shard(name).checkpoint(`${directory}/${name}`)),
    ])
    const sum = (of: (report: CheckpointReport) => number): number =>
      reports.reduce((total, report) => total + of(report), 0)
    return {
      position: reports[0]!.position,
      tables: sum(({ tables }) => tables),
      bytes: sum(({ bytes }) => bytes),
      writtenBytes: sum(({ writtenBytes }) => writtenBytes),
    }
  }

  async verify(): Promise<VerifyReport> {
    this.checkOpen()
    const shards = this.mail.shardNames().map((name) => this.mail.shard(name).verify())
    const reports = await Promise.all([this.hooks.verify(), ...shards])
    return {
      ok: reports.every(({ ok }) => ok),
      checked: reports.reduce((total, { checked }) => total + checked, 0),
      findings: reports.flatMap(({ findings }) => findings),
    }
  }

  async approximateSize(space: string, range: KeyRange): Promise<number> {
    const sizes = await this.each((shard) => shard.approximateSize(space, range))
    return sizes.reduce((sum, size) => sum + size, 0)
  }

  async flush(): Promise<void> {
    await this.each((shard) => shard.flush())
  }

  async compact(kind: 'minor' | 'major'): Promise<void> {
    await this.each((shard) => shard.compact(kind))
  }

  async idle(): Promise<void> {
    await this.each((shard) => shard.idle())
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  private async closeAll(): Promise<void> {
    await this.hooks.beforeClose()
    await this.mail.closeEmptying()
    const ends = await Promise.allSettled([...this.members.values()].map(({ shard }) => shard.close()))
    await this.hooks.afterClose()
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  private async each<T>(run: (shard: Shard) => Promise<T>): Promise<T[]> {
    this.checkOpen()
    return Promise.all([...this.members.values()].map(({ shard }) => run(shard)))
  }
}
