/** What can be asked of a file system or of an open file. */
export type CallKind =
  | 'open'
  | 'list'
  | 'status'
  | 'makeDirectory'
  | 'remove'
  | 'removeDirectory'
  | 'rename'
  | 'link'
  | 'syncDirectory'
  | 'lock'
  | 'unlock'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'size'
  | 'close'

export interface Call {
  /** Counted from 1 over the life of a disk. */
  readonly number: number
  readonly kind: CallKind
  readonly path: string
  readonly detail: string
}

interface Fault {
  /** Of any kind where it is not given. */
  readonly kind?: CallKind
  /** Which call fails: the n-th of all, or of its kind where that is given; every one where `at` is not given. */
  readonly at?: number
  /** Only calls whose path contains this. */
  readonly path?: string
  readonly effect: FaultEffect
}

/** A code of the operating system, or a write that comes out short. */
export type FaultEffect = { readonly code: string } | 'short'

/** Counts the calls and says which of them go wrong. */
export class FaultPlan {
  #count = 0
  readonly #countByKind = new Map<CallKind, number>()
  readonly #faults = new Set<Fault>()

  get count(): number {
    return this.#count
  }

  countOf(kind: CallKind): number {
    return this.#countByKind.get(kind) ?? 0
  }

  /** Returns what takes the fault out of the plan again. */
  add(fault: Fault): () => void {
    this.#faults.add(fault)
    return () => this.#faults.delete(fault)
  }

  /** Counts a call; returns its number. */
  arrive(kind: CallKind): number {
    this.#countByKind.set(kind, this.countOf(kind) + 1)
    return ++this.#count
  }

  /** What befalls the call that has just been counted. */
  faultFor(kind: CallKind, path: string): FaultEffect | undefined {
    for (const fault of this.#faults) {
      if (fault.kind !== undefined && fault.kind !== kind) continue
      if (fault.path !== undefined && !path.includes(fault.path)) continue
      const number = fault.kind === undefined ? this.#count : this.countOf(kind)
      if (fault.at === undefined || fault.at === number) return fault.effect
    }
    return undefined
  }
}
