import type { Command } from 'commander'
import type { Database } from '../../../src/queue/messaging-database.js'
import type { Queue } from '../../../src/queue/queue.js'
import type { SubscribeOptions } from '../../../src/queue/topic.js'
import { command, countOption, durationOption, noun, withJson, withSync, withYes } from '../command.js'
import { EXIT_NO, Failure, usage } from '../failure.js'
import { formatField, jsonField } from '../notation.js'
import { type PlaceOptions, pathOf, reading, writing } from '../store.js'
import { out, readInput, stopSignal } from '../terminal.js'
import { plural, showCount } from '../units.js'

interface MessageOptions extends PlaceOptions {
  readonly json?: boolean
  readonly parse?: boolean
  readonly delay?: number
  readonly group?: string
  readonly dedupId?: string
  readonly sync?: boolean
  readonly ack?: boolean
  readonly yes?: boolean
  readonly max: number
  readonly wait?: number
  readonly key?: string
  readonly from?: string
  readonly limit?: number
  readonly follow?: boolean
}

type MessageStore = Database<Buffer, Buffer>

/** Queues and topics. */
export function commands(): Command[] {
  return [
    noun('queue', 'queues of messages', [send(), receive(), peek(), stats(), redrive(), purge()]),
    noun('topic', 'topics, which every subscription reads for itself', [publish(), subscribe(), lag(), seek()]),
  ]
}

function withMessages<T>(options: PlaceOptions, create: boolean, use: (store: MessageStore) => Promise<T>): Promise<T> {
  return writing(options, { create }, (store) => use(store as MessageStore), 'messages')
}

/** A queue that is there: a name that was mistyped must not make another one. */
function knownQueue(store: MessageStore, name: string): Queue {
  const names = store.queueNames()
  if (names.includes(name)) return store.queue(name)
  throw new Failure(`There is no queue '${name}'; there are: ${names.join(', ') || 'none'}`)
}

async function bodyOf(text: string, parse: boolean | undefined): Promise<unknown> {
  const body = text === '-' ? await readInput() : text
  if (!parse) return body
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw usage(`The body is no JSON: ${(error as Error).message}`)
  }
}

function shownBody(body: unknown): string {
  if (body instanceof Uint8Array) return formatField(body, 'text')
  return typeof body === 'string' ? formatField(Buffer.from(body), 'text') : JSON.stringify(body)
}

function jsonBody(body: unknown): unknown {
  return body instanceof Uint8Array ? jsonField(body, 'text') : body
}

function send(): Command {
  const made = command(
    'send <queue> <body>',
    "send a message; the body '-' is read from standard input",
    'kv-cli queue send mails "welcome ada"',
    `kv-cli queue send payments '{"order":7}' --parse --delay 5s`,
  )
  made
    .option('--parse', 'the body is JSON, and consumers get what it means')
    .addOption(durationOption('--delay <time>', 'not before this time has passed'))
    .option('--group <name>', 'in order with the others of this group')
    .option('--dedup-id <id>', 'once only, however often it is sent')
  return withSync(withJson(made)).action(async (name: string, text: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    const { delay, group, dedupId, sync } = options
    const body = await bodyOf(text, options.parse)
    const rules = Object.fromEntries(
      Object.entries({ delay, group, dedupId, sync }).filter(([, value]) => value !== undefined),
    )
    const sent = await withMessages(options, true, (store) => store.queue(name).send(body, rules))
    if (options.json) out.json(sent)
    else out.line(sent.duplicate ? `${sent.id} (sent before)` : sent.id)
  })
}

function receive(): Command {
  const made = command(
    'receive <queue>',
    'print messages; with --ack they are done, else they go back to the queue; exits 1 where none is ready',
    'kv-cli queue receive mails --ack',
  )
  made
    .addOption(countOption('--max <n>', 'no more than this many').default(1))
    .addOption(durationOption('--wait <time>', 'how long to wait for the first'))
    .option('--ack', 'acknowledge what was printed')
  return withJson(made).action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await withMessages(options, false, async (store) => {
      const queue = knownQueue(store, name)
      const messages = await queue
        .receive({ max: options.max, wait: options.wait ?? 0, signal: stopSignal })
        .catch((error: unknown) => {
          if (stopSignal.aborted) return []
          throw error
        })
      for (const { id, body, attempts, sentAt } of messages) {
        if (options.json) out.json({ id, body: jsonBody(body), attempts, sentAt })
        else out.line(`${id}\t${shownBody(body)}`)
      }
      await out.flush()
      if (options.ack) await queue.ackMany(messages)
      else for (const message of messages) await message.nack({ delay: 0 })
      if (messages.length === 0) throw new Failure(`No message of queue '${name}' is ready`, EXIT_NO)
    })
  })
}

function peek(): Command {
  const made = command('peek <queue>', 'print messages without taking them', 'kv-cli queue peek mails --max 10')
  made.addOption(countOption('--max <n>', 'no more than this many').default(1))
  return withJson(made).action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await reading(
      options,
      async (store) => {
        for (const { id, body } of await knownQueue(store as MessageStore, name).peek({ max: options.max })) {
          if (options.json) out.json({ id, body: jsonBody(body) })
          else out.line(`${id}\t${shownBody(body)}`)
        }
      },
      'messages',
    )
  })
}

function stats(): Command {
  const made = command('stats [queue]', 'figures of a queue, or of all', 'kv-cli queue stats')
  return withJson(made).action(async (name: string | undefined, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await reading(
      options,
      async (given) => {
        const store = given as MessageStore
        for (const each of name === undefined ? store.queueNames() : [name]) {
          const figures = knownQueue(store, each).stats()
          if (options.json) out.json({ queue: each, ...figures })
          else {
            const { depth, ready, delayed, inFlight, dead } = figures
            out.line(
              `${each}\t${depth} waiting (${ready} ready, ${delayed} delayed, ${inFlight} in flight), ${dead} dead`,
            )
          }
        }
      },
      'messages',
    )
  })
}

function redrive(): Command {
  const made = command(
    'redrive <queue>',
    'bring the dead letters of a queue back into it',
    'kv-cli queue redrive mails',
  )
  return withJson(made).action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    const count = await withMessages(options, false, async (store) => knownQueue(store, name).redrive())
    if (options.json) out.json({ redriven: count })
    else out.line(`${plural(count, 'message')} came back`)
  })
}

function purge(): Command {
  const made = command('purge <queue>', 'remove every message of a queue', 'kv-cli queue purge mails --yes')
  return withYes(withJson(made), 'do it').action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    if (!options.yes) {
      const count = async (store: unknown): Promise<number> => knownQueue(store as MessageStore, name).stats().depth
      const depth = await reading(options, count, 'messages')
      throw usage(
        `This would remove ${plural(depth, 'message')} of '${name}' in ${pathOf(options)}; add --yes to do it`,
      )
    }
    const removed = await withMessages(options, false, (store) => knownQueue(store, name).purge())
    if (options.json) out.json({ removed })
    else out.line(`${showCount(removed)} removed`)
  })
}

function publish(): Command {
  const made = command(
    'publish <topic> <body>',
    "publish a message; the body '-' is read from standard input",
    'kv-cli topic publish orders "order 7" --key customer:1',
  )
  made.option('--parse', 'the body is JSON').option('--key <key>', 'in order with the others of this key')
  return withSync(withJson(made)).action(async (name: string, text: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    const body = await bodyOf(text, options.parse)
    const { key } = options
    const published = await withMessages(options, true, (store) =>
      store.topic(name).publish(body, key === undefined ? {} : { key }),
    )
    if (options.json) out.json(published)
    else out.line(String(published.offset))
  })
}

function subscribe(): Command {
  const made = command(
    'subscribe <topic> <subscription>',
    'print and acknowledge what a subscription has not seen; it remembers where it was',
    'kv-cli topic subscribe orders billing --from earliest',
  )
  made
    .option('--from <place>', 'where a new subscription begins: earliest, latest or an offset', 'earliest')
    .addOption(countOption('--limit <n>', 'end after this many'))
    .option('--follow', 'go on with what comes, until Ctrl-C')
  return withJson(made).action(async (name: string, subscription: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await withMessages(options, false, async (store) => {
      const from = placeOf(options.from ?? 'earliest') as NonNullable<SubscribeOptions<unknown>['from']>
      const sub = store.topic(name).subscribe(subscription, { from })
      let left = options.limit ?? Number.POSITIVE_INFINITY
      while (left > 0 && !stopSignal.aborted) {
        const max = Math.min(left, 100)
        const wait = options.follow ? 20_000 : 0
        const messages = await sub.receive({ max, wait, signal: stopSignal }).catch((error: unknown) => {
          if (stopSignal.aborted) return []
          throw error
        })
        for (const message of messages) {
          if (options.json) out.json({ offset: message.offset, id: message.id, body: jsonBody(message.body) })
          else out.line(`${message.offset}\t${shownBody(message.body)}`)
          await out.flush()
          await message.ack()
        }
        left -= messages.length
        if (messages.length === 0 && !options.follow) break
      }
      await sub.close()
    })
  })
}

function lag(): Command {
  const made = command(
    'lag <topic> <subscription>',
    'how many messages a subscription has not seen',
    'kv-cli topic lag orders billing',
  )
  return withJson(made).action(async (name: string, subscription: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    const behind = await withMessages(options, false, async (store) => {
      const topic = store.topic(name)
      return known(topic.subscriptionNames(), subscription) && topic.subscribe(subscription).lag()
    })
    if (options.json) out.json({ lag: behind })
    else out.line(String(behind))
  })
}

function seek(): Command {
  const made = command(
    'seek <topic> <subscription> <place>',
    'send a subscription elsewhere: earliest, latest or an offset',
    'kv-cli topic seek orders billing earliest',
  )
  return made.action(async (name: string, subscription: string, place: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await withMessages(options, false, async (store) => {
      const topic = store.topic(name)
      known(topic.subscriptionNames(), subscription)
      await topic.subscribe(subscription).seek(placeOf(place))
    })
  })
}

function known(names: readonly string[], subscription: string): true {
  if (names.includes(subscription)) return true
  throw new Failure(`There is no subscription '${subscription}'; there are: ${names.join(', ') || 'none'}`)
}

function placeOf(text: string): { offset: number } | 'earliest' | 'latest' {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d+$/.test(text)) return { offset: Number(text) }
  throw usage(`'${text}' is no place; write earliest, latest or an offset`)
}
