import { channel } from 'node:diagnostics_channel'

/**
 * What happens in queues, for whoever looks on: `diagnostics_channel.subscribe('siltstone:queue:dead-letter', …)`. Nobody
 * listening costs nothing; a listener that throws is the process's concern, as with any channel.
 */
const channels = {
  send: channel('siltstone:queue:send'),
  duplicate: channel('siltstone:queue:duplicate'),
  deliver: channel('siltstone:queue:deliver'),
  ack: channel('siltstone:queue:ack'),
  nack: channel('siltstone:queue:nack'),
  timeout: channel('siltstone:queue:timeout'),
  expire: channel('siltstone:queue:expire'),
  drop: channel('siltstone:queue:drop'),
  'dead-letter': channel('siltstone:queue:dead-letter'),
}

/** What an event says: the queue, the message's id, and what else there is to say. */
export interface QueueEvent {
  readonly queue: string
  readonly id: string
  readonly [detail: string]: unknown
}

export type QueueChannel = keyof typeof channels

export function isHeard(name: QueueChannel): boolean {
  return channels[name].hasSubscribers
}

/** Publishes an event that is put together only where somebody listens. */
export function announce(name: QueueChannel, event: () => QueueEvent): void {
  const target = channels[name]
  if (target.hasSubscribers) target.publish(event())
}
