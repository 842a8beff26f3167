import type { MailRecord, OwnershipDirectory } from './ownership-directory.js'
import { restorePlacement } from './placement/make-placement.js'
import type { Placement, PlacementState } from './placement/placement.js'

/*
 * Where messages go. Keys are moved when shards come and go; messages are not: they are few, they go away by themselves, and a copy
 * of one that is being handled is a message that is handled twice. Instead, whatever must keep its order goes where its
 * predecessors are:
 *
 *   queues   A message goes to the shard that owns its group. After a rebalance, groups that another shard owns go on to the old
 *            owner until its part of the queue has been empty once. That is noted, synced, before the first message goes to the new
 *            one. So at every moment the messages of one group lie on one shard, and nobody has to wait for anybody else.
 *   topics   are dealt out by the placement of the day on which they are first used, for good: they are read again and again.
 *   logs     have one order, so they stand on one shard, for good.
 */

/** How many messages a shard's part of a queue holds, everything counted that was issued; `undefined`: that shard is gone. */
export type DepthOf = (shard: string) => number | undefined

export class MailRoutes {
  private readonly directory: OwnershipDirectory
  private record: MailRecord
  private former: readonly Placement[]
  private readonly topicPlacements = new Map<string, Placement>()

  constructor(directory: OwnershipDirectory) {
    this.directory = directory
    this.record = directory.mail()
    this.former = this.record.former.map(({ placement }) => restorePlacement(placement))
  }

  /** The shard to which a message of a queue goes, by the bytes that decide. */
  ofQueue(queue: string, key: Uint8Array, current: Placement, depthOf: DepthOf): string {
    const ways = [...this.former, current]
    let at = ownerOf(ways[0]!, key)
    for (let i = 1; i < ways.length; i++) {
      const next = ownerOf(ways[i]!, key)
      if (next === at) continue
      // A note belongs to the placement that the group left behind.
      if (!this.isDrained(i - 1, queue, at, depthOf)) return at
      at = next
    }
    return at
  }

  private isDrained(generation: number, queue: string, shard: string, depthOf: DepthOf): boolean {
    const { drained } = this.record.former[generation]!
    if (drained[queue]?.includes(shard)) return true
    const depth = depthOf(shard)
    // A shard that is gone was empty when it went.
    if (depth === undefined) return true
    if (depth > 0) return false
    const noted = { ...drained, [queue]: [...(drained[queue] ?? []), shard] }
    const former = this.record.former.map((each, i) => (i === generation ? { ...each, drained: noted } : each))
    this.write({ ...this.record, former })
    return true
  }

  /** The record after the placement has changed; to be written with what changes it. */
  after(previous: PlacementState): MailRecord {
    return { ...this.record, former: [...this.record.former, { placement: previous, drained: {} }] }
  }

  /** Takes over what was written with a change of the placement. */
  adopt(record: MailRecord): void {
    this.record = record
    this.former = record.former.map(({ placement }) => restorePlacement(placement))
  }

  /** Forgets former placements behind which no queue has anything left. */
  forget(queues: readonly string[], depthOf: (queue: string, shard: string) => number | undefined): void {
    while (this.former.length > 0) {
      const { shards } = this.former[0]!
      const drained = this.record.former[0]!.drained
      const isDone = queues.every((queue) =>
        shards.every(({ name }) => drained[queue]?.includes(name) || !depthOf(queue, name)),
      )
      if (!isDone) return
      this.write({ ...this.record, former: this.record.former.slice(1) })
      this.former = this.former.slice(1)
    }
  }

  get isSettled(): boolean {
    return this.former.length === 0
  }

  /** The placement of a topic. From its first use on it is settled. */
  ofTopic(topic: string, current: Placement): Placement {
    const known = this.topicPlacements.get(topic)
    if (known !== undefined) return known
    let state = this.record.topics[topic]
    if (state === undefined) {
      state = current.state()
      this.write({ ...this.record, topics: { ...this.record.topics, [topic]: state } })
    }
    const placement = restorePlacement(state)
    this.topicPlacements.set(topic, placement)
    return placement
  }

  /** The shard of a log. From its first use on it is settled. */
  ofLog(log: string, current: Placement): string {
    const known = this.record.logs[log]
    if (known !== undefined) return known
    const shard = current.locate(log)
    this.write({ ...this.record, logs: { ...this.record.logs, [log]: shard } })
    return shard
  }

  topicNames(): string[] {
    return Object.keys(this.record.topics)
  }

  logNames(): string[] {
    return Object.keys(this.record.logs)
  }

  /** The topics and logs that a shard has for good. */
  settledOn(shard: string): { topics: string[]; logs: string[] } {
    const { topics, logs } = this.record
    return {
      topics: Object.keys(topics).filter((name) => topics[name]!.shards.some((each) => each.name === shard)),
      logs: Object.keys(logs).filter((name) => logs[name] === shard),
    }
  }

  /** Topics and logs in which nothing is kept are dealt out anew at their next use. */
  unsettle({ topics, logs }: { topics: readonly string[]; logs: readonly string[] }): void {
    if (topics.length + logs.length === 0) return
    const without = <T>(all: Readonly<Record<string, T>>, gone: readonly string[]): Record<string, T> =>
      Object.fromEntries(Object.entries(all).filter(([name]) => !gone.includes(name)))
    for (const topic of topics) this.topicPlacements.delete(topic)
    this.write({ ...this.record, topics: without(this.record.topics, topics), logs: without(this.record.logs, logs) })
  }

  /** What a queue, a topic or a subscription was given, by its kind, a colon and its name. */
  rulesOf(owner: string): object | undefined {
    return this.directory.rulesOf(owner)
  }

  /** Notes, synced, what one was given: that goes for all shards, whichever of them hear of it before the process ends. */
  keepRules(owner: string, rules: object): void {
    this.directory.putRulesSync(owner, rules)
  }

  forgetRules(owner: string): void {
    if (this.directory.rulesOf(owner) !== undefined) this.directory.deleteRulesSync(owner)
  }

  private write(record: MailRecord): void {
    this.directory.putMailSync(record)
    this.record = record
  }
}

function ownerOf(placement: Placement, key: Uint8Array): string {
  return placement.shards[placement.ownerOf(key, 0, key.length)]!.name
}
