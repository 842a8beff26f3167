import type { Command } from 'commander'
import type { Message } from '../../../src/queue/message.js'
import type { Queue, QueueStats } from '../../../src/queue/queue.js'
import type { SubscribeOptions } from '../../../src/queue/topic.js'
import { command, countOption, durationOption, noun, withJson, withSync, withYes } from '../command.js'
import { EXIT_NO, Failure, usage } from '../failure.js'
import { type MessageStore, readingMessages, refreshes, withMessages } from '../message-store.js'
import { formatField, jsonField } from '../notation.js'
import { type PlaceOptions, pathOf } from '../store.js'
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
  readonly exec?: string
  readonly every: number
}

/** Queues and topics. */
export function commands(): Command[] {
  return [
    noun('queue', 'queues of messages', [send(), receive(), ack(), peek(), stats(), watch(), redrive(), purge()]),
    noun('topic', 'topics, which every subscription reads for itself', [publish(), subscribe(), lag(), seek()]),
  ]
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
    "kv-cli queue receive mails --exec 'cat >> sent.txt'",
  )
  made
    .addOption(countOption('--max <n>', 'no more than this many').default(1))
    .addOption(durationOption('--wait <time>', 'how long to wait for the first'))
    .option('--ack', 'acknowledge what was printed')
    .option(
      '--exec <command>',
      'run it for each message, with the body as its input; done where it exits with 0, else retried',
    )
    .option('--follow', 'with --exec: go on with what comes, until Ctrl-C')
    .addHelpText(
      'after',
      '\nA message is yours only while the process runs that received it: that is what --exec is for. The command finds the id in ' +
        'KV_MESSAGE_ID and the number of the attempt in KV_ATTEMPT. Given back without --ack, it has used up one of its attempts.',
    )
  return withJson(made).action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    if (options.ack && options.exec !== undefined) throw usage('--exec acknowledges by itself; leave --ack out')
    if (options.follow && options.exec === undefined)
      throw usage('--follow needs --exec, which says what to do with what comes')
    await withMessages(options, false, async (store) => {
      const queue = knownQueue(store, name)
      if (options.exec !== undefined) {
        const { executeAll } = await import('../messages/execute.js')
        await executeAll(queue, options.exec, options)
        return
      }
      const messages = await receiveFrom(queue, options.max, options.wait ?? 0)
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

function ack(): Command {
  const made = command(
    'ack <queue> <ids...>',
    'acknowledge messages that an earlier receive printed and gave back, as long as they are the next ones',
    'kv-cli queue ack mails "$(kv-cli queue receive mails | cut -f 1)"',
  )
  made.addHelpText(
    'after',
    '\nA receipt does not outlive the process that got it, so in between another consumer may have the message as well. Where that ' +
      "matters, let one process do both: 'queue receive --exec'.",
  )
  return withJson(made).action(async (name: string, ids: string[], _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await withMessages(options, false, async (store) => {
      const queue = knownQueue(store, name)
      // To look first costs those that are not meant no attempt.
      const next = (await queue.peek({ max: ids.length })).map(({ id }) => id)
      const other = ids.find((id) => !next.includes(id))
      if (other !== undefined) {
        const there = next.length === 0 ? 'none is ready' : `next: ${next.join(', ')}`
        throw new Failure(
          `Message '${other}' of queue '${name}' is not among the next ones (${there}); see 'kv-cli queue peek ${name}'`,
        )
      }
      const messages = await queue.receive({ max: ids.length })
      const meant = messages.filter(({ id }) => ids.includes(id))
      await queue.ackMany(meant)
      if (options.json) out.json({ acked: meant.length })
      if (meant.length === ids.length) return
      throw new Failure(
        `Only ${meant.length} of ${plural(ids.length, 'message')} could be had; the others have another consumer`,
      )
    })
  })
}

function watch(): Command {
  const made = command(
    'watch <queue>',
    'print the figures of a queue whenever they change, beside the processes that use it, until Ctrl-C',
    'kv-cli queue watch mails',
    'kv-cli queue watch mails --limit 1 --json',
  )
  made
    .addOption(durationOption('--every <time>', 'how often to look').default(1000, '1s'))
    .addOption(countOption('--limit <n>', 'end after this many lines'))
  return withJson(made).action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await readingMessages(options, async (store) => {
      let left = options.limit ?? Number.POSITIVE_INFINITY
      let before: { readonly time: number; readonly figures: QueueStats } | undefined
      for await (const refreshed of refreshes(store, options.every)) {
        if (left-- <= 0) return
        const time = Date.now()
        const figures = knownQueue(refreshed, name).stats()
        if (before !== undefined && isSame(before.figures, figures)) left++
        else if (options.json) out.json({ time, queue: name, ...figures })
        else
          out.line(
            `${new Date(time).toISOString().slice(11, 19)}  ${figuresLine(figures)}${pace(before, time, figures)}`,
          )
        before = { time, figures }
        await out.flush()
      }
    })
  })
}

function isSame(before: QueueStats, now: QueueStats): boolean {
  // Its age grows by itself.
  const { oldestAge: _, ...figures } = before
  return Object.entries(figures).every(([name, value]) => now[name as keyof QueueStats] === value)
}

function figuresLine({ depth, ready, delayed, inFlight, dead }: QueueStats): string {
  return `${depth} waiting (${ready} ready, ${delayed} delayed, ${inFlight} in flight), ${dead} dead`
}

function pace(
  before: { readonly time: number; readonly figures: QueueStats } | undefined,
  time: number,
  { sent, acked }: QueueStats,
): string {
  if (before === undefined || time <= before.time) return ''
  const seconds = (time - before.time) / 1000
  return `, ${showCount((sent - before.figures.sent) / seconds)} sent and ${showCount((acked - before.figures.acked) / seconds)} done a second`
}

function receiveFrom(queue: Queue, max: number, wait: number): Promise<Message[]> {
  return queue.receive({ max, wait, signal: stopSignal }).catch((error: unknown) => {
    if (stopSignal.aborted) return []
    throw error
  })
}

function peek(): Command {
  const made = command('peek <queue>', 'print messages without taking them', 'kv-cli queue peek mails --max 10')
  made.addOption(countOption('--max <n>', 'no more than this many').default(1))
  return withJson(made).action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await readingMessages(options, async (store) => {
      for (const { id, body } of await knownQueue(store, name).peek({ max: options.max })) {
        if (options.json) out.json({ id, body: jsonBody(body) })
        else out.line(`${id}\t${shownBody(body)}`)
      }
    })
  })
}

function stats(): Command {
  const made = command('stats [queue]', 'figures of a queue, or of all', 'kv-cli queue stats')
  return withJson(made).action(async (name: string | undefined, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<MessageOptions>()
    await readingMessages(options, async (store) => {
      for (const each of name === undefined ? store.queueNames() : [name]) {
        const figures = knownQueue(store, each).stats()
        if (options.json) out.json({ queue: each, ...figures })
        else {
          out.line(`${each}\t${figuresLine(figures)}`)
        }
      }
    })
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
      const depth = await readingMessages(options, async (store) => knownQueue(store, name).stats().depth)
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
