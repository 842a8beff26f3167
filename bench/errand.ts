import type { PeerDescription } from './peers/peer.js'
import type { Sample } from './sample.js'
import type { Pace } from './workloads/workload.js'

/** What a child process is sent to do: one peer, one scenario, once. */
export interface Errand {
  readonly peer: string
  /** Without one it only says what peer there is. */
  readonly scenario?: string
  readonly directory: string
  readonly keys: number
  readonly pace: Pace
  /** Only rows that match this. */
  readonly only?: string
}

/** What the child says, in order; 'done' or 'failed' is the last. */
export type Message =
  | { readonly kind: 'described'; readonly description: PeerDescription }
  | { readonly kind: 'started'; readonly workload: string }
  | { readonly kind: 'measured'; readonly sample: Sample }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly reason: string }

/** Whether somebody asked for a row. */
export function isWanted(only: string | undefined, scenario: string, workload: string): boolean {
  return only === undefined || new RegExp(only, 'i').test(`${scenario}: ${workload}`)
}
