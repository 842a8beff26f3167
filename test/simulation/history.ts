/** One operation of a commit, as it was asked for. */
export type Change =
  | {
      readonly type: 'put'
      readonly keyspace: string
      readonly key: string
      readonly value: string
      readonly expiresAt: number
    }
  | { readonly type: 'del'; readonly keyspace: string; readonly key: string }
  /** From `low` up to, but not including, `high`. */
  | { readonly type: 'clear'; readonly keyspace: string; readonly low: string; readonly high: string }

export interface Commit {
  readonly changes: readonly Change[]
  /** The store said no, and nothing of it may ever be seen. */
  refused: boolean
}

interface Entry {
  readonly value: string
  readonly expiresAt: number
}

/** What a store shows: by keyspace, key for key. The default keyspace is ''. */
export type Content = ReadonlyMap<string, ReadonlyMap<string, string>>

/**
 * Everything that was ever written to one store, commit by commit in the order in which it was issued, and what was promised
 * of it. The state of a store is right when it is what the first n commits lead to, for an n that breaks no promise.
 */
export class History {
  private commits: Commit[] = []
  private acknowledgedCount = 0
  private durableCount = 0

  /** How many commits were issued. */
  get length(): number {
    return this.commits.length
  }

  /** So many commits must be there after the death of the process: the one acknowledged last, and all before it. */
  get acknowledged(): number {
    return this.acknowledgedCount
  }

  /** So many commits must be there after a loss of power. */
  get durable(): number {
    return this.durableCount
  }

  /** Takes note of a commit that is about to be asked for; returns what names it. */
  issue(changes: readonly Change[]): Commit {
    const commit = { changes, refused: false }
    this.commits.push(commit)
    return commit
  }

  acknowledge(commit: Commit, durably: boolean): void {
    const count = this.commits.indexOf(commit) + 1
    this.acknowledgedCount = Math.max(this.acknowledgedCount, count)
    if (durably) this.durableCount = Math.max(this.durableCount, count)
  }

  /** The first `count` commits are on disk, however that came about. */
  secure(count: number): void {
    this.acknowledgedCount = Math.max(this.acknowledgedCount, count)
    this.durableCount = Math.max(this.durableCount, count)
  }

  /** The store came back with the first `count` commits: what was behind them is gone for good. */
  cutTo(count: number): void {
    this.commits.length = count
    this.secure(count)
  }

  /** After how many commits, at least `atLeast`, the store looked like this; `undefined` where it never did. */
  find(content: Content, atLeast: number, now: number): number | undefined {
    const state = new Map<string, Map<string, Entry>>()
    for (let count = 0; count <= this.commits.length; count++) {
      if (count > 0) apply(state, this.commits[count - 1]!)
      if (count >= atLeast && isEqual(visible(state, now), content)) return count
    }
    return undefined
  }

  /** The commits that were not refused. */
  accepted(): (readonly Change[])[] {
    return this.commits.filter(({ refused }) => !refused).map(({ changes }) => changes)
  }

  /** Every key of a keyspace that anybody has written or removed. */
  keysOf(keyspace: string): ReadonlySet<string> {
    const keys = new Set<string>()
    for (const { changes } of this.commits) {
      for (const change of changes) if (change.keyspace === keyspace && change.type !== 'clear') keys.add(change.key)
    }
    return keys
  }

  /** What the first `count` commits lead to. */
  contentAt(count: number, now: number): Content {
    const state = new Map<string, Map<string, Entry>>()
    for (const commit of this.commits.slice(0, count)) apply(state, commit)
    return visible(state, now)
  }

  /** In what a content differs from that after the first `count` commits, for whoever has to find out why. */
  difference(content: Content, count: number, now: number): string {
    const expected = this.contentAt(count, now)
    const lines: string[] = []
    for (const keyspace of new Set([...expected.keys(), ...content.keys()])) {
      const there = content.get(keyspace) ?? new Map<string, string>()
      const due = expected.get(keyspace) ?? new Map<string, string>()
      for (const key of new Set([...due.keys(), ...there.keys()])) {
        const [is, should] = [there.get(key), due.get(key)]
        if (is !== should) lines.push(`${keyspace}/${key}: is ${brief(is)}, was ${brief(should)}`)
      }
    }
    return lines.slice(0, 8).join('\n')
  }
}

function brief(value: string | undefined): string {
  return value === undefined ? 'not there' : `'${value.slice(0, 24)}'`
}

function apply(state: Map<string, Map<string, Entry>>, { changes, refused }: Commit): void {
  if (refused) return
  for (const change of changes) {
    let entries = state.get(change.keyspace)
    if (entries === undefined) state.set(change.keyspace, (entries = new Map()))
    if (change.type === 'put') entries.set(change.key, { value: change.value, expiresAt: change.expiresAt })
    else if (change.type === 'del') entries.delete(change.key)
    else for (const key of entries.keys()) if (key >= change.low && key < change.high) entries.delete(key)
  }
}

function visible(state: ReadonlyMap<string, ReadonlyMap<string, Entry>>, now: number): Content {
  const content = new Map<string, Map<string, string>>()
  for (const [keyspace, entries] of state) {
    const seen = new Map<string, string>()
    for (const [key, { value, expiresAt }] of entries) if (expiresAt === 0 || expiresAt > now) seen.set(key, value)
    content.set(keyspace, seen)
  }
  return content
}

/** A keyspace without entries looks like one that is not there. */
function isEqual(a: Content, b: Content): boolean {
  for (const keyspace of new Set([...a.keys(), ...b.keys()])) {
    const [left, right] = [a.get(keyspace), b.get(keyspace)]
    if ((left?.size ?? 0) !== (right?.size ?? 0)) return false
    for (const [key, value] of left ?? []) if (right?.get(key) !== value) return false
  }
  return true
}
