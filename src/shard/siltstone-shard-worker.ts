import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { SiltstoneError } from '../bytes/errors.js'
import { ThreadSignals } from '../bytes/thread-signals.js'
import { open } from '../queue/messaging-database.js'
import { LocalShard } from './local-shard.js'
import {
  errorOf,
  failureOf,
  memoryOf,
  SHARD_OBJECT,
  type ThreadAnswer,
  type ThreadCall,
  type ThreadFailure,
  type ThreadStart,
} from './thread-protocol.js'

/*
 * The thread of one shard: a store of its own, and the objects that were made of it. An object that could not be made answers every
 * call with the reason.
 */

const { port, signals: cells, path, create, options } = workerData as ThreadStart
const signals = new ThreadSignals(cells)

type Methods = Record<string, (...args: readonly unknown[]) => unknown>

const objects = new Map<number, Methods | { failure: ThreadFailure }>()
let answers: ThreadAnswer[] = []

function send(): void {
  if (answers.length === 0) return
  port.postMessage(answers, memoryOf(answers))
  answers = []
  signals.tell()
}

function answer(reply: ThreadAnswer, urgent: boolean | undefined): void {
  if (reply.id === 0) return
  if (answers.push(reply) === 1 && !urgent) setImmediate(send)
  if (urgent) send()
}

function carryOut({ id, object, method, args, makes, urgent }: ThreadCall): void {
  try {
    const target = objects.get(object)
    if (target === undefined)
      throw new SiltstoneError('SILT_NOT_OPEN', 'What this call is for was closed; open it again')
    if ('failure' in target) throw errorOf((target as { failure: ThreadFailure }).failure)
    const value = target[method]!(...args)
    if (method === 'close' && object !== SHARD_OBJECT) objects.delete(object)
    if (makes !== undefined) objects.set(makes, value as Methods)
    else if (value instanceof Promise) {
      value.then(
        (settled) => answer({ id, value: settled }, urgent),
        (error) => answer({ id, failure: failureOf(error) }, urgent),
      )
    } else answer({ id, value }, urgent)
  } catch (error) {
    const failure = failureOf(error)
    if (makes !== undefined) objects.set(makes, { failure })
    answer({ id, failure }, urgent)
  }
}

function receive(calls: readonly ThreadCall[]): void {
  for (const call of calls) carryOut(call)
}

async function begin(): Promise<void> {
  signals.begin()
  try {
    const db = await open<Uint8Array, Uint8Array>(path, {
      ...options,
      keyEncoding: 'view',
      valueEncoding: 'view',
      createIfMissing: create,
    })
    objects.set(SHARD_OBJECT, new LocalShard(db) as unknown as Methods)
    answer({ id: 1 }, true)
    port.on('message', (calls: readonly ThreadCall[]) => {
      receive(calls)
      // What has come meanwhile is answered in the same message.
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        receive(next.message)
    })
  } catch (error) {
    answer({ id: 1, failure: failureOf(error) }, true)
    port.close()
  }
}

// Not awaited here: as a file of CommonJS, which a bundler may make of this, it could not be.
void begin()
