import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../../src/queue/messaging-database.js'
import { type PlaceOptions, reading, writing } from './store.js'
import { stopSignal } from './terminal.js'

/** A store with its logs, queues and topics. */
export type MessageStore = Database<Buffer, Buffer>

export function withMessages<T>(
  options: PlaceOptions,
  create: boolean,
  use: (store: MessageStore) => Promise<T>,
): Promise<T> {
  return writing(options, { create }, (store) => use(store as MessageStore), 'messages')
}

export function readingMessages<T>(options: PlaceOptions, use: (store: MessageStore) => Promise<T>): Promise<T> {
  return reading(options, (store) => use(store as MessageStore), 'messages')
}

const LOOK_MS = 200

/** The store, again and again, as another process has left it meanwhile; until Ctrl-C. */
export async function* refreshes(store: MessageStore, everyMs: number = LOOK_MS): AsyncGenerator<MessageStore> {
  while (!stopSignal.aborted) {
    yield store
    await delay(everyMs, undefined, { signal: stopSignal }).catch(() => {})
    if (!stopSignal.aborted) await store.refresh()
  }
}
