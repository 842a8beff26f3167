import type { CallKind } from './fault-plan.js'
import type { SeededRandom } from './seeded-random.js'

/** A read that is about to happen. */
export interface ReadAhead {
  readonly path: string
  readonly offset: number
  readonly length: number
  readonly onPool: boolean
}

/** How one call is carried out. */
export interface CallPlan<T> {
  readonly kind: CallKind
  readonly path: string
  readonly syscall: string
  readonly detail?: string
  run(): T
  /** What a crash in the middle leaves behind; by default it has happened or has not. */
  interrupted?(): void
  /** What an injected failure leaves behind; nothing by default. */
  failed?(): void
  /** What an injected short write does instead. */
  short?(): T
}

/** What an open file needs of the simulated disk that it is on. */
export interface Drive {
  readonly random: SeededRandom
  readonly lyingSync: boolean
  readonly onRead: ((read: ReadAhead) => undefined | Promise<void>) | undefined
  /** Counts a call and carries it out, or lets it go wrong as planned. */
  call<T>(plan: CallPlan<T>): T
  /** The same on the pool: counted now, done in a later turn, unless the disk crashes before that. */
  callOnPool<T>(plan: CallPlan<T | Promise<T>>, before?: Promise<void>): Promise<T>
  /** Of `bytes` that a file is to grow by: how many there is room for. */
  roomFor(bytes: number): number
}
