import { type Channel, channel } from 'node:diagnostics_channel'

/*
 * What happens inside a store, for those who want to hear of it: channels of `node:diagnostics_channel`, by their names. Nothing is put
 * together while nobody has subscribed. Never to change: the names, and what the fields of a message mean; there may be more.
 */

/** A flush or a compaction has ended, and its tables count with the next edit of the manifest. */
export interface JobMessage {
  readonly directory: string
  readonly what: string
  readonly durationMs: number
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly entriesRead: number
  readonly entriesWritten: number
}

/** Writers were slowed down. */
export interface StallMessage {
  readonly directory: string
  readonly reason: string
  readonly ms: number
}

/** A store was opened. */
export interface RecoveryMessage {
  readonly directory: string
  readonly segments: number
  readonly commits: number
  readonly losses: readonly object[]
  readonly kept: readonly string[]
}

/** Something failed in the background; nobody was there to be told. */
export interface ErrorMessage {
  readonly directory: string
  readonly error: Error
  /** What was being done. */
  readonly during: string
}

/** The channels with what they carry. */
export interface DiagnosticMessages {
  'siltstone:flush': JobMessage
  'siltstone:compaction': JobMessage
  'siltstone:stall': StallMessage
  'siltstone:recovery': RecoveryMessage
  'siltstone:error': ErrorMessage
}

const channels: { readonly [Name in keyof DiagnosticMessages]: Channel } = {
  'siltstone:flush': channel('siltstone:flush'),
  'siltstone:compaction': channel('siltstone:compaction'),
  'siltstone:stall': channel('siltstone:stall'),
  'siltstone:recovery': channel('siltstone:recovery'),
  'siltstone:error': channel('siltstone:error'),
}

/** Tells those who listen, if anybody does. */
export function publish<Name extends keyof DiagnosticMessages>(
  name: Name,
  message: () => DiagnosticMessages[Name],
): void {
  const { [name]: channel } = channels
  if (channel.hasSubscribers) channel.publish(message())
}
