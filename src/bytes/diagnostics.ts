import { type Channel, channel } from 'node:diagnostics_channel'

/*
 * What happens inside a store, for those who want to hear of it: channels of `node:diagnostics_channel`, by their names. Nothing is put
 * together while nobody has subscribed. Never to change: the names, and what the fields of a message mean; there may be more.
 */

/** A flush or a compaction has ended, and its tables count with the next edit of the manifest. */
export interface JobMessage {
  /** The store's directory. */
  readonly directory: string
  /** Why it was run, and where its tables went. */
  readonly what: string
  /** From its start to its end. */
  readonly durationMs: number
  /** Of the tables that went in. */
  readonly bytesRead: number
  /** Of the tables that came out. */
  readonly bytesWritten: number
  /** Entries that went in. */
  readonly entriesRead: number
  /** Entries that came out. */
  readonly entriesWritten: number
}

/** Writers were slowed down. */
export interface StallMessage {
  /** The store's directory. */
  readonly directory: string
  /** What they had to wait for. */
  readonly reason: string
  /** How long, in milliseconds. */
  readonly ms: number
}

/** A store was opened. */
export interface RecoveryMessage {
  /** The store's directory. */
  readonly directory: string
  /** Segments of the commit log that were read. */
  readonly segments: number
  /** Commits that were in them. */
  readonly commits: number
  /** What was missing or could not be read, as in `db.recovery`. */
  readonly losses: readonly object[]
  /** Where files that hold more than was recovered were kept. */
  readonly kept: readonly string[]
}

/** Something failed in the background; nobody was there to be told. */
export interface ErrorMessage {
  /** The store's directory. */
  readonly directory: string
  /** What was thrown. */
  readonly error: Error
  /** What was being done. */
  readonly during: string
}

/** The background thread of a store is not there: what it would do is done on the store's own thread. */
export interface WorkerMessage {
  /** The store's directory. */
  readonly directory: string
  /** Its file is not there, as in a bundle without it; it did not start; it ended in the middle of its work. */
  readonly problem: 'missing' | 'not started' | 'died'
  /** What is known of why. */
  readonly reason: string
}

/** The channels with what they carry. */
export interface DiagnosticMessages {
  /** A memtable has become tables. */
  'siltstone:flush': JobMessage
  /** Tables were merged. */
  'siltstone:compaction': JobMessage
  /** Writers were slowed down. */
  'siltstone:stall': StallMessage
  /** A store was opened. */
  'siltstone:recovery': RecoveryMessage
  /** Something failed in the background. */
  'siltstone:error': ErrorMessage
  /** The background thread of a store is not there. */
  'siltstone:worker': WorkerMessage
}

const channels: { readonly [Name in keyof DiagnosticMessages]: Channel } = {
  'siltstone:flush': channel('siltstone:flush'),
  'siltstone:compaction': channel('siltstone:compaction'),
  'siltstone:stall': channel('siltstone:stall'),
  'siltstone:recovery': channel('siltstone:recovery'),
  'siltstone:error': channel('siltstone:error'),
  'siltstone:worker': channel('siltstone:worker'),
}

/** Tells those who listen, if anybody does. */
export function publish<Name extends keyof DiagnosticMessages>(
  name: Name,
  message: () => DiagnosticMessages[Name],
): void {
  const { [name]: channel } = channels
  if (channel.hasSubscribers) channel.publish(message())
}
